/* Where a window goes over an image: sizes of input, output and kernel, steps and padding. */
struct model_window {
    int in_h, in_w, in_c, out_h, out_w, out_c, kernel_h, kernel_w;
    int stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
    int groups, zero; /* the input's zero point */
};
