/* nf4_values.h: the sixteen values of NF4, for all families and the encoder: quantiles of the
 * normal distribution with an exact zero, scaled to [-1, 1] (Dettmers et al. 2023, appendix E). */
#ifndef FT_NF4_VALUES_H
#define FT_NF4_VALUES_H

static const float nf4_values[16] = {
    -1.0f, -0.696192801f, -0.525073051f, -0.394917488f, -0.284441382f, -0.18477343f,
    -0.0910500363f, 0.0f, 0.0795802996f, 0.160930201f, 0.246112302f, 0.337915242f, 0.440709829f,
    0.562617004f, 0.722956836f, 1.0f};

#endif
