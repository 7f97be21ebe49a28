/* Exponential function and hyperbolic tangent for both types, without branches, so that loops over them are vectorised. */

INLINE float exp_float(float x) {
    /* Cephes' polynomial (Moshier): within 2 units of the last place. */
    float n = floorf(x * 1.44269504088896341f + 0.5f);
    n = n > 128.0f ? 128.0f : n < -127.0f ? -127.0f : n;
    float r = x - n * 0.693359375f;
    r += n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { int32_t i; float f; } power = {((int32_t)n + 127) << 23};
    float y = p * power.f;
    y = x > 88.72283f ? INFINITY : y;
    y = x < -87.33654f ? 0.0f : y;
    return x != x ? x : y;
}

INLINE double exp_double(double x) {
    double n = floor(x * 1.4426950408889634074 + 0.5);
    n = n > 1024.0 ? 1024.0 : n < -1023.0 ? -1023.0 : n;
    double r = x - n * 6.93145751953125e-1;
    r -= n * 1.42860682030941723212e-6;
    double s = r * r;
    double p = r * ((1.26177193074810590878e-4 * s + 3.02994407707441961300e-2) * s + 9.99999999999999999910e-1);
    double q = ((3.00198505138664455042e-6 * s + 2.52448340349684104192e-3) * s + 2.27265548208155028766e-1) * s + 2.0;
    double y = 1.0 + 2.0 * p / (q - p);
    /* Adding 1.5 * 2^52 leaves n in the low bits, from where it goes into the exponent. */
    union { double f; int64_t i; } low = {n + 6755399441055744.0}, power;
    power.i = (int64_t)((uint64_t)low.i << 52) + ((int64_t)1023 << 52);
    y *= power.f;
    y = x > 709.78 ? exp(x) : y;
    y = x < -708.39 ? 0.0 : y;
    return x != x ? x : y;
}

INLINE float tanh_float(float x) {
    float a = fabsf(x), s = x * x;
    float p = -5.70498872745e-3f;
    p = p * s + 2.06390887954e-2f;
    p = p * s - 5.37397155531e-2f;
    p = p * s + 1.33314422036e-1f;
    p = p * s - 3.33332819422e-1f;
    float small = p * s * x + x;
    float large = copysignf(1.0f - 2.0f / (exp_float(2.0f * a) + 1.0f), x);
    return a < 0.625f ? small : x != x ? x : large;
}

INLINE double tanh_double(double x) {
    double a = fabs(x), s = x * x;
    double p = (-9.64399179425052238628e-1 * s - 9.92877231001918586564e1) * s - 1.61468768441708447952e3;
    double q = ((s + 1.12811678491632931402e2) * s + 2.23548839060100448583e3) * s + 4.84406305325125486048e3;
    double small = x * s * (p / q) + x;
    double large = copysign(1.0 - 2.0 / (exp_double(2.0 * (a > 300.0 ? 300.0 : a)) + 1.0), x);
    return a < 0.625 ? small : x != x ? x : large;
}
