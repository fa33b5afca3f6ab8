"""An integer model as C that needs no interpreter: plan, kernels, one emitter, and the proof."""
