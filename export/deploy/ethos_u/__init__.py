"""An integer TFLite file compiled for Arm's Ethos-U NPUs by Arm's own compiler, Vela."""
