// Elementary functions on f64, which the builtins do not have. The code generator copies the items it needs, with what they
// call, by name. Needs SHADER_F64 and SHADER_INT64: bitcast<u64> is the only way to the bits of an f64.
// Written for drivers that may fuse a*b+c, cancel (a+b)-a, move constants through sums (Mesa does, measured) and ignore NaN in
// comparisons: NaN and infinity are made and tested by bits, and the order of a sum that matters is held by fence_f64.
// The error bounds are in units of the last place, measured against 113-bit arithmetic, with fused and with separate a*b+c.
// "fdlibm" is Sun's freely distributable libm as kept in FreeBSD's msun and in musl.

// Infinity, from bits that are not a constant expression.
fn inf_f64() -> f64 {
    var bits: u64 = 0x7ff0000000000000lu;
    return bitcast<f64>(bits);
}

// A quiet NaN, from bits that are not a constant expression.
fn nan_f64() -> f64 {
    var bits: u64 = 0x7ff8000000000000lu;
    return bitcast<f64>(bits);
}

// The bits of |a|.
fn magnitude_f64(a: f64) -> u64 {
    return bitcast<u64>(a) & 0x7ffffffffffffffflu;
}

// Whether the sign bit is set.
fn is_negative_f64(a: f64) -> bool {
    return (bitcast<u64>(a) >> 63u) != 0lu;
}

// Whether a is NaN, by its bits.
fn is_nan_f64(a: f64) -> bool {
    return magnitude_f64(a) > 0x7ff0000000000000lu;
}

// Whether a is neither infinite nor NaN, by its bits. The smaller of two integers on the way keeps a compiler that believes in no NaN
// from recognising the test: without it, NVIDIA's answers yes for NaN.
fn is_finite_f64(a: f64) -> bool {
    let bits = min(bitcast<u64>(a), 0xfffffffffffffff0lu);
    return (bits & 0x7ff0000000000000lu) != 0x7ff0000000000000lu;
}

// a itself, behind an integer operation: no compiler can move a sum or a constant across it.
fn fence_f64(a: f64) -> f64 {
    return bitcast<f64>(min(bitcast<u64>(a), 0xfffffffffffffff0lu));
}

// The leading 21 bits of a's significand.
fn high_part_f64(a: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(a) & 0xffffffff00000000lu);
}

// Number of leading zero bits; 64 for 0.
fn leading_zeros_f64(a: u64) -> u32 {
    let high = u32(a >> 32u);
    let low = u32(a & 0xfffffffflu);
    return select(countLeadingZeros(high), 32u + countLeadingZeros(low), high == 0u);
}

// |a|, exact.
fn abs_f64(a: f64) -> f64 {
    return bitcast<f64>(magnitude_f64(a));
}

// |a| with the sign of b, exact.
fn copysign_f64(a: f64, b: f64) -> f64 {
    return bitcast<f64>(magnitude_f64(a) | (bitcast<u64>(b) & 0x8000000000000000lu));
}

// -1, 0 or 1; NaN for NaN.
fn sign_f64(a: f64) -> f64 {
    let magnitude = magnitude_f64(a);
    if (magnitude == 0lu || magnitude > 0x7ff0000000000000lu) {
        return a;
    }
    return copysign_f64(1.0lf, a);
}

// |a| cut to an integer, for |a| < 2^52, by its bits.
fn whole_f64(a: f64) -> f64 {
    let magnitude = magnitude_f64(a);
    if (magnitude < 0x3ff0000000000000lu) {
        return 0.0lf;
    }
    let below = 1075u - u32(magnitude >> 52u);
    return bitcast<f64>((magnitude >> below) << below);
}

// Largest integer not above a.
fn floor_f64(a: f64) -> f64 {
    if (magnitude_f64(a) >= 0x4330000000000000lu) {
        return a;
    }
    let whole = whole_f64(a);
    let up = is_negative_f64(a) && whole != abs_f64(a);
    return copysign_f64(whole + select(0.0lf, 1.0lf, up), a);
}

// Smallest integer not below a.
fn ceil_f64(a: f64) -> f64 {
    if (magnitude_f64(a) >= 0x4330000000000000lu) {
        return a;
    }
    let whole = whole_f64(a);
    let up = !is_negative_f64(a) && whole != abs_f64(a);
    return copysign_f64(whole + select(0.0lf, 1.0lf, up), a);
}

// Integer part.
fn trunc_f64(a: f64) -> f64 {
    if (magnitude_f64(a) >= 0x4330000000000000lu) {
        return a;
    }
    return copysign_f64(whole_f64(a), a);
}

// Nearest integer, halves away from zero.
fn round_f64(a: f64) -> f64 {
    if (magnitude_f64(a) >= 0x4330000000000000lu) {
        return a;
    }
    let whole = whole_f64(a);
    let up = abs_f64(a) - whole >= 0.5lf;
    return copysign_f64(whole + select(0.0lf, 1.0lf, up), a);
}

// 1 / a; infinite at 0.
fn recip_f64(a: f64) -> f64 {
    let bits = bitcast<u64>(a);
    let magnitude = magnitude_f64(a);
    if (magnitude == 0lu) {
        return bitcast<f64>(bits | 0x7ff0000000000000lu);
    }
    if (magnitude > 0x7ff0000000000000lu) {
        return a;
    }
    if (magnitude == 0x7ff0000000000000lu) {
        return bitcast<f64>(bits & 0x8000000000000000lu);
    }
    return 1.0lf / a;
}

// Square root; NaN below 0.
fn sqrt_f64(a: f64) -> f64 {
    let bits = bitcast<u64>(a);
    if (magnitude_f64(a) == 0lu || bits == 0x7ff0000000000000lu) {
        return a;
    }
    if (bits > 0x7ff0000000000000lu) {
        return nan_f64();
    }
    return sqrt(a);
}

// 1 if a = b, else 0.
fn eq_f64(a: f64, b: f64) -> f64 {
    return select(0.0lf, 1.0lf, a == b);
}

// 1 if a and b differ, else 0; NaN differs from everything.
fn ne_f64(a: f64, b: f64) -> f64 {
    return select(1.0lf, 0.0lf, a == b && !is_nan_f64(a));
}

// 1 if a < b, else 0.
fn lt_f64(a: f64, b: f64) -> f64 {
    return select(0.0lf, 1.0lf, a < b);
}

// 1 if a <= b, else 0.
fn le_f64(a: f64, b: f64) -> f64 {
    return select(0.0lf, 1.0lf, a <= b);
}

// 1 if a > b, else 0.
fn gt_f64(a: f64, b: f64) -> f64 {
    return select(0.0lf, 1.0lf, a > b);
}

// 1 if a >= b, else 0.
fn ge_f64(a: f64, b: f64) -> f64 {
    return select(0.0lf, 1.0lf, a >= b);
}

// a where c is not 0, else b.
fn select_f64(c: f64, a: f64, b: f64) -> f64 {
    return select(a, b, c == 0.0lf && !is_nan_f64(c));
}

// The smaller; a at a tie; NaN if either is.
fn min_f64(a: f64, b: f64) -> f64 {
    let smaller = select(b, a, a <= b);
    let passed = select(smaller, b, is_nan_f64(b));
    return select(passed, a, is_nan_f64(a));
}

// The larger; a at a tie; NaN if either is.
fn max_f64(a: f64, b: f64) -> f64 {
    let larger = select(b, a, a >= b);
    let passed = select(larger, b, is_nan_f64(b));
    return select(passed, a, is_nan_f64(a));
}

// max(lo, min(x, hi)).
fn clamp_f64(x: f64, lo: f64, hi: f64) -> f64 {
    return max_f64(lo, min_f64(x, hi));
}

// a - b trunc(a / b), exact for every finite pair: long division of the significands, 11 bits a step.
fn rem_f64(a: f64, b: f64) -> f64 {
    let sign = bitcast<u64>(a) & 0x8000000000000000lu;
    let x = magnitude_f64(a);
    let y = magnitude_f64(b);
    if (x >= 0x7ff0000000000000lu || y > 0x7ff0000000000000lu || y == 0lu) {
        return nan_f64();
    }
    if (x < y) {
        return a;
    }
    // Denormals have exponent field 1 without the hidden bit.
    let ex = max(u32(x >> 52u), 1u);
    let ey = max(u32(y >> 52u), 1u);
    let hidden = 0x10000000000000lu;
    let mx = select((x & 0xffffffffffffflu) | hidden, x, x < hidden);
    let my = select((y & 0xffffffffffffflu) | hidden, y, y < hidden);
    var rest = mx % my;
    var left = ex - ey;
    for (var i = 0u; i < 192u; i = i + 1u) {
        if (left == 0u || rest == 0lu) {
            break;
        }
        let step = min(left, 11u);
        rest = (rest << step) % my;
        left = left - step;
    }
    if (rest == 0lu) {
        return bitcast<f64>(sign);
    }
    // rest 2^(ey - 1075), rest < 2^53: normalise as far as the exponent allows.
    let shift = min(leading_zeros_f64(rest) - 11u, ey - 1u);
    let m = rest << shift;
    if (m < hidden) {
        return bitcast<f64>(sign | m);
    }
    return bitcast<f64>(sign | (u64(ey - shift) << 52u) | (m & 0xffffffffffffflu));
}

// 2^n for -1022 <= n <= 1023, exact.
fn pow2_f64(n: i32) -> f64 {
    return bitcast<f64>(u64(u32(n + 1023)) << 52u);
}

// x 2^n for -2044 <= n <= 2046, rounded once: to infinity or to a denormal (or 0) at the ends.
fn scale_f64(x: f64, n: i32) -> f64 {
    let half = n >> 1u;
    return fence_f64(x * pow2_f64(half)) * pow2_f64(n - half);
}

// Nearest integer for |a| < 2^30.
fn nearest_f64(a: f64) -> i32 {
    return i32(a + select(-0.5lf, 0.5lf, a >= 0.0lf));
}

// e^(hi - lo) for |hi - lo| <= 0.35, |lo| tiny: fdlibm e_exp.c. 1 ulp.
fn exp_kernel_f64(hi: f64, lo: f64) -> f64 {
    let x = hi - lo;
    let z = x * x;
    let p4 = -1.65339022054652515390e-06lf + z * 4.13813679705723846039e-08lf;
    let p3 = 6.61375632143793436117e-05lf + z * p4;
    let p2 = -2.77777777770155933842e-03lf + z * p3;
    let p1 = 1.66666666666666019037e-01lf + z * p2;
    let c = x - z * p1;
    return 1.0lf + fence_f64(((x * c) / (2.0lf - c) - lo) + hi);
}

// e^a 2^n for |a| <= 800, |n| <= 2. 1 ulp.
fn exp_scaled_f64(a: f64, n: i32) -> f64 {
    let k = nearest_f64(a * 1.44269504088896338700e+00lf);
    let t = f64(k);
    let hi = fence_f64(a - t * 6.93147180369123816490e-01lf);
    let lo = fence_f64(t * 1.90821492927058770002e-10lf);
    return scale_f64(exp_kernel_f64(hi, lo), k + n);
}

// e^a, fdlibm e_exp.c. 1 ulp; denormal below -708.4, 0 below -745.1, infinite above 709.8.
fn exp_f64(a: f64) -> f64 {
    if (is_nan_f64(a)) {
        return a;
    }
    if (a > 710.0lf) {
        return inf_f64();
    }
    if (a < -746.0lf) {
        return 0.0lf;
    }
    return exp_scaled_f64(a, 0);
}

// 2^a = 2^k e^(r ln 2) with r = a - k exact and r ln 2 in two parts. 1 ulp; 0 below -1075, infinite from 1024.
fn exp2_f64(a: f64) -> f64 {
    if (is_nan_f64(a)) {
        return a;
    }
    if (a >= 1024.0lf) {
        return inf_f64();
    }
    if (a < -1075.0lf) {
        return 0.0lf;
    }
    let k = nearest_f64(a);
    let r = a - f64(k);
    let r_h = high_part_f64(r);
    // The high part of ln 2 has 32 bits, so the first product is exact.
    let hi = fence_f64(r_h * 6.93147180369123816490e-01lf);
    let lo = fence_f64((r - r_h) * 6.93147180369123816490e-01lf + r * 1.90821492927058770002e-10lf);
    return scale_f64(exp_kernel_f64(hi, -lo), k);
}

// e^a - 1, fdlibm s_expm1.c. 1 ulp.
fn exp_m1_f64(a: f64) -> f64 {
    if (is_nan_f64(a)) {
        return a;
    }
    if (a > 60.0lf) {
        return exp_f64(a);
    }
    if (a < -38.0lf) {
        return -1.0lf;
    }
    if (magnitude_f64(a) < 0x3c90000000000000lu) {
        return a;
    }
    let k = nearest_f64(a * 1.44269504088896338700e+00lf);
    let n = f64(k);
    let hi = fence_f64(a - n * 6.93147180369123816490e-01lf);
    let lo = fence_f64(n * 1.90821492927058770002e-10lf);
    var x = a;
    var c = 0.0lf;
    if (k != 0) {
        x = fence_f64(hi - lo);
        c = fence_f64(hi - x) - lo;
    }
    let h = 0.5lf * x;
    let z = x * h;
    let q4 = 4.00821782732936239552e-06lf + z * -2.01099218183624371326e-07lf;
    let q3 = -7.93650757867487942473e-05lf + z * q4;
    let q2 = 1.58730158725481460165e-03lf + z * q3;
    let q1 = -3.33333333333331316428e-02lf + z * q2;
    let r = 1.0lf + z * q1;
    let t = 3.0lf - r * h;
    let e0 = z * ((r - t) / (6.0lf - x * t));
    if (k == 0) {
        return x - (x * e0 - z);
    }
    let e = (x * (e0 - c) - c) - z;
    if (k == -1) {
        return 0.5lf * (x - e) - 0.5lf;
    }
    if (k == 1) {
        return select(1.0lf + 2.0lf * (x - e), -2.0lf * (e - fence_f64(x + 0.5lf)), x < -0.25lf);
    }
    let down = pow2_f64(-k);
    if (k >= 20) {
        return (fence_f64(x - (e + down)) + 1.0lf) * pow2_f64(k);
    }
    if (k < 0) {
        return (fence_f64(x - e) + 1.0lf) * pow2_f64(k) - 1.0lf;
    }
    return ((x - e) + fence_f64(1.0lf - down)) * pow2_f64(k);
}

// ln(1 + f) - f + f^2/2 for 1 + f in [sqrt(1/2), sqrt(2)] as s (f^2/2 + R(s^2)), s = f / (2 + f): fdlibm e_log.c.
fn ln_tail_f64(f: f64) -> f64 {
    let s = f / (2.0lf + f);
    let z = s * s;
    let w = z * z;
    let e1 = 2.222219843214978396e-01lf + w * 1.531383769920937332e-01lf;
    let e0 = 3.999999999940941908e-01lf + w * e1;
    let o2 = 1.818357216161805012e-01lf + w * 1.479819860511658591e-01lf;
    let o1 = 2.857142874366239149e-01lf + w * o2;
    let o0 = 6.666666666666735130e-01lf + w * o1;
    return s * (0.5lf * f * f + (z * o0 + w * e0));
}

// a = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)], as (f, k); a positive and finite, denormals included.
fn ln_split_f64(a: f64) -> vec2<f64> {
    var bits = bitcast<u64>(a);
    var k = -1023;
    if (bits < 0x10000000000000lu) {
        let shift = leading_zeros_f64(bits) - 11u;
        bits = bits << shift;
        k = k - i32(shift);
        // The hidden bit is now in place and counts as exponent 1.
    }
    bits = bits + (0x3ff0000000000000lu - 0x3fe6a09e00000000lu);
    k = k + i32(u32(bits >> 52u));
    let m = bitcast<f64>((bits & 0xffffffffffffflu) + 0x3fe6a09e00000000lu);
    return vec2<f64>(fence_f64(m - 1.0lf), f64(k));
}

// What the logarithms return outside 0 < a < inf: -inf at 0, NaN below, a itself otherwise.
fn ln_special_f64(a: f64) -> f64 {
    if (magnitude_f64(a) == 0lu) {
        return -inf_f64();
    }
    if (is_negative_f64(a)) {
        return nan_f64();
    }
    return a;
}

// Whether 0 < a < inf, by bits.
fn ln_domain_f64(a: f64) -> bool {
    let bits = bitcast<u64>(a);
    return bits != 0lu && bits < 0x7ff0000000000000lu;
}

// Natural logarithm, fdlibm e_log.c. 1 ulp.
fn ln_f64(a: f64) -> f64 {
    if (!ln_domain_f64(a)) {
        return ln_special_f64(a);
    }
    let split = ln_split_f64(a);
    let f = split.x;
    let k = split.y;
    let tail = ln_tail_f64(f) + k * 1.90821492927058770002e-10lf;
    return ((tail - 0.5lf * f * f) + f) + k * 6.93147180369123816490e-01lf;
}

// ln(1 + a) + extra, |extra| tiny, for -1 < a < inf: fdlibm s_log1p.c. 1 ulp.
fn ln_1p_kernel_f64(a: f64, extra: f64) -> f64 {
    var f = a;
    var k = 0.0lf;
    var c = extra;
    if (!(a > -0.2928lf && a < 0.4142lf)) {
        // 1 + a = u + d with u masked, so that d is found exactly; the correction is d / u.
        let u = fence_f64(1.0lf + a);
        let d = select(a - fence_f64(u - 1.0lf), 1.0lf - fence_f64(u - a), a > 1.0lf);
        c = c + d / u;
        let split = ln_split_f64(u);
        f = split.x;
        k = split.y;
    }
    let tail = ln_tail_f64(f) + (k * 1.90821492927058770002e-10lf + c);
    return ((tail - 0.5lf * f * f) + f) + k * 6.93147180369123816490e-01lf;
}

// ln(1 + a), fdlibm s_log1p.c. 1 ulp.
fn ln_1p_f64(a: f64) -> f64 {
    let bits = bitcast<u64>(a);
    if (bits >= 0xbff0000000000000lu) {
        return select(nan_f64(), -inf_f64(), bits == 0xbff0000000000000lu);
    }
    if (!is_finite_f64(a) || magnitude_f64(a) < 0x3ca0000000000000lu) {
        return a;
    }
    return ln_1p_kernel_f64(a, 0.0lf);
}

// ln(1 + f) as a high part of 21 bits and the rest: fdlibm e_log2.c.
fn ln_parts_f64(f: f64) -> vec2<f64> {
    let half_square = 0.5lf * f * f;
    let high = high_part_f64(f - half_square);
    let low = (fence_f64(f - high) - half_square) + ln_tail_f64(f);
    return vec2<f64>(high, low);
}

// Logarithm to base 2, fdlibm e_log2.c. 1 ulp.
fn log2_f64(a: f64) -> f64 {
    if (!ln_domain_f64(a)) {
        return ln_special_f64(a);
    }
    let split = ln_split_f64(a);
    let parts = ln_parts_f64(split.x);
    let k = split.y;
    let high = parts.x * 1.44269504072144627571e+00lf;
    let low = (parts.y + parts.x) * 1.67517131648865118353e-10lf + parts.y * 1.44269504072144627571e+00lf;
    if (k == 0.0lf) {
        return low + high;
    }
    let w = fence_f64(k + high);
    return (low + (fence_f64(k - w) + high)) + w;
}

// Logarithm to base 10, fdlibm e_log10.c. 1 ulp.
fn log10_f64(a: f64) -> f64 {
    if (!ln_domain_f64(a)) {
        return ln_special_f64(a);
    }
    let split = ln_split_f64(a);
    let parts = ln_parts_f64(split.x);
    let k = split.y;
    let high = parts.x * 4.34294481878168880939e-01lf;
    let low0 = k * 3.69423907715893078616e-13lf + (parts.y + parts.x) * 2.50829467116452752298e-11lf;
    let low = low0 + parts.y * 4.34294481878168880939e-01lf;
    if (k == 0.0lf) {
        return low + high;
    }
    let y = k * 3.01029995663611771306e-01lf;
    let w = fence_f64(y + high);
    return (low + (fence_f64(y - w) + high)) + w;
}

// 1 / (1 + e^-a), below 0 as e^a - e^2a / (1 + e^a). 2 ulp.
fn sigmoid_f64(a: f64) -> f64 {
    if (is_nan_f64(a)) {
        return a;
    }
    let e = exp_f64(-abs_f64(a));
    let d = 1.0lf + e;
    return select(e - (e * e) / d, 1.0lf / d, a >= 0.0lf);
}

// ln(1 + e^a). 2 ulp.
fn softplus_f64(a: f64) -> f64 {
    return max_f64(a, 0.0lf) + ln_1p_f64(exp_f64(-abs_f64(a)));
}

// High 64 bits of the product of two 64-bit integers.
fn multiply_high_f64(a: u64, b: u64) -> u64 {
    let a0 = a & 0xfffffffflu;
    let a1 = a >> 32u;
    let b0 = b & 0xfffffffflu;
    let b1 = b >> 32u;
    let low = a0 * b0;
    let m1 = a1 * b0 + (low >> 32u);
    let m2 = a0 * b1 + (m1 & 0xfffffffflu);
    return a1 * b1 + (m1 >> 32u) + (m2 >> 32u);
}

// The i-th 64 bits of 1 / (2 pi) after the point; 0 for i = -1.
fn inverse_tau_f64(i: i32) -> u64 {
    switch i {
        case 0: { return 0x28be60db9391054alu; }
        case 1: { return 0x7f09d5f47d4d3770lu; }
        case 2: { return 0x36d8a5664f10e410lu; }
        case 3: { return 0x7f9458eaf7aef158lu; }
        case 4: { return 0x6dc91b8e909374b8lu; }
        case 5: { return 0x01924bba82746487lu; }
        case 6: { return 0x3f877ac72c4a69cflu; }
        case 7: { return 0xba208d7d4baed121lu; }
        case 8: { return 0x3a671c09ad17df90lu; }
        case 9: { return 0x4e64758e60d4ce7dlu; }
        case 10: { return 0x272117e2ef7e4a0elu; }
        case 11: { return 0xc7fe25fff7816603lu; }
        case 12: { return 0xfbcbc462d6829b47lu; }
        case 13: { return 0xdb4d9fb3c9f2c26dlu; }
        case 14: { return 0xd3d18fd9a797fa8blu; }
        case 15: { return 0x5d49eeb1faf97c5elu; }
        case 16: { return 0xcf41ce7de294a4balu; }
        case 17: { return 0x9afed7ec47e35742lu; }
        case 18: { return 0x1580cc11bf1edaealu; }
        default: { return 0lu; }
    }
}

// Payne-Hanek reduction: a = n pi/2 + r + s, |r| <= pi/4, as (r, s, n mod 4), for finite |a| >= 1; 192 bits of 1 / (2 pi).
fn reduce_large_f64(a: f64) -> vec3<f64> {
    let magnitude = magnitude_f64(a);
    let exponent = i32(u32(magnitude >> 52u)) - 1022;
    let m = (magnitude << 11u) | 0x8000000000000000lu;
    let word = exponent >> 6u;
    let shift = u32(exponent) & 63u;
    var hi = inverse_tau_f64(word - 1);
    var mid = inverse_tau_f64(word);
    var lo = inverse_tau_f64(word + 1);
    if (shift != 0u) {
        let back = 64u - shift;
        hi = (hi << shift) | (mid >> back);
        mid = (mid << shift) | (lo >> back);
        lo = (lo << shift) | (inverse_tau_f64(word + 2) >> back);
    }
    // (p1, p0) = the 128 bits of the product whose top two are the quadrant.
    let carry = multiply_high_f64(m, lo);
    var p0 = m * mid;
    var p1 = multiply_high_f64(m, mid) + m * hi;
    p0 = p0 + carry;
    p1 = p1 + select(0lu, 1lu, p0 < carry);
    var n = u32(p1 >> 62u);
    p1 = p1 & 0x3ffffffffffffffflu;
    let below = p1 >= 0x2000000000000000lu;
    if (below) {
        n = n + 1u;
        p0 = 0lu - p0;
        p1 = 0x4000000000000000lu - p1 - select(0lu, 1lu, p0 != 0lu);
    }
    // Bring the leading bit to the top; a finite f64 is never so near a multiple of pi/2 that p1 is 0.
    let zeros = min(leading_zeros_f64(p1), 63u);
    if (zeros != 0u) {
        p1 = (p1 << zeros) | (p0 >> (64u - zeros));
        p0 = p0 << zeros;
    }
    // p = f + g with f = f1 + f2 of 24 bits each, times pi/2 = pio2_h + pio2_l with pio2_h of 21 bits.
    let f1 = f64(u32(p1 >> 40u)) * 1099511627776.0lf;
    let f2 = f64(u32((p1 >> 16u) & 0xfffffflu)) * 65536.0lf;
    let g = f64(u32(p1 & 0xfffflu)) + f64(u32(p0 >> 32u)) * 2.3283064365386962890625e-10lf;
    let f = f1 + f2;
    let pio2_h = 1.57079601287841796875lf;
    let pio2_l = 3.139164786504813217e-07lf;
    // f1 pio2_h and f2 pio2_h are exact.
    let e1 = f1 * pio2_h;
    let e2 = f2 * pio2_h;
    let e3 = f * pio2_l + g * 1.5707963267948966lf;
    let high = fence_f64(e1 + (e2 + e3));
    let low = fence_f64(fence_f64(e1 - high) + e2) + e3;
    let unit = pow2_f64(-62 - i32(zeros));
    let negative = below != is_negative_f64(a);
    let scale = select(unit, -unit, negative);
    let quadrant = select(n, 4u - (n & 3u), is_negative_f64(a)) & 3u;
    return vec3<f64>(high * scale, low * scale, f64(quadrant));
}

// a = n pi/2 + r + s as (r, s, n mod 4) for finite a: Cody-Waite with pi/2 in four parts (33, 33, 33 and 53 bits, so that n
// times each of the first three is exact) up to 2^20 pi/2, Payne-Hanek above.
fn reduce_f64(a: f64) -> vec3<f64> {
    let x = abs_f64(a);
    if (x <= 0.7853981633974483lf) {
        return vec3<f64>(a, 0.0lf, 0.0lf);
    }
    if (x > 1647099.0lf) {
        return reduce_large_f64(a);
    }
    let k = nearest_f64(a * 6.36619772367581382433e-01lf);
    let n = f64(k);
    let w2 = n * 6.077100506303966e-11lf;
    let w3 = n * 2.0222662487111665e-21lf;
    let r1 = fence_f64(a - n * 1.5707963267341256lf);
    let r2 = fence_f64(r1 - w2);
    let e2 = fence_f64(fence_f64(r1 - r2) - w2);
    let r3 = fence_f64(r2 - w3);
    let e3 = fence_f64(fence_f64(r2 - r3) - w3) + fence_f64(e2 - n * 8.4784276603689e-32lf);
    let r = fence_f64(r3 + e3);
    return vec3<f64>(r, fence_f64(r3 - r) + e3, f64(k & 3));
}

// sin(x + y) for |x| <= pi/4, y tiny: fdlibm k_sin.c. 1 ulp.
fn sin_kernel_f64(x: f64, y: f64) -> f64 {
    let z = x * x;
    let w = z * z;
    let r1 = 8.33333333332248946124e-03lf + z * (-1.98412698298579493134e-04lf + z * 2.75573137070700676789e-06lf);
    let r2 = -2.50507602534068634195e-08lf + z * 1.58969099521155010221e-10lf;
    let r = r1 + (z * w) * r2;
    let v = z * x;
    return x - ((z * (0.5lf * y - v * r) - y) - v * -1.66666666666666324348e-01lf);
}

// cos(x + y) for |x| <= pi/4, y tiny: fdlibm k_cos.c. 1 ulp.
fn cos_kernel_f64(x: f64, y: f64) -> f64 {
    let z = x * x;
    let w = z * z;
    let r1 = 4.16666666666666019037e-02lf + z * (-1.38888888888741095749e-03lf + z * 2.48015872894767294178e-05lf);
    let r2 = -2.75573143513906633035e-07lf + z * (2.08757232129817482790e-09lf + z * -1.13596475577881948265e-11lf);
    let r = z * r1 + (w * w) * r2;
    let h = 0.5lf * z;
    let u = fence_f64(1.0lf - h);
    return u + (fence_f64((1.0lf - u) - h) + (z * r - x * y));
}

// Sine. 1 ulp for every finite a; NaN at infinity.
fn sin_f64(a: f64) -> f64 {
    if (!is_finite_f64(a)) {
        return nan_f64();
    }
    if (magnitude_f64(a) < 0x3e40000000000000lu) {
        return a;
    }
    let reduced = reduce_f64(a);
    let n = u32(reduced.z);
    var value = 0.0lf;
    if ((n & 1u) != 0u) {
        value = cos_kernel_f64(reduced.x, reduced.y);
    } else {
        value = sin_kernel_f64(reduced.x, reduced.y);
    }
    return select(value, -value, (n & 2u) != 0u);
}

// Cosine. 1 ulp for every finite a; NaN at infinity.
fn cos_f64(a: f64) -> f64 {
    if (!is_finite_f64(a)) {
        return nan_f64();
    }
    let reduced = reduce_f64(a);
    let n = u32(reduced.z) + 1u;
    var value = 0.0lf;
    if ((n & 1u) != 0u) {
        value = cos_kernel_f64(reduced.x, reduced.y);
    } else {
        value = sin_kernel_f64(reduced.x, reduced.y);
    }
    return select(value, -value, (n & 2u) != 0u);
}

// Tangent, fdlibm k_tan.c. 1 ulp for every finite a; NaN at infinity.
fn tan_f64(a: f64) -> f64 {
    if (!is_finite_f64(a)) {
        return nan_f64();
    }
    if (magnitude_f64(a) < 0x3e40000000000000lu) {
        return a;
    }
    let reduced = reduce_f64(a);
    let odd = (u32(reduced.z) & 1u) != 0u;
    let flip = is_negative_f64(reduced.x);
    var x = select(reduced.x, -reduced.x, flip);
    var y = select(reduced.y, -reduced.y, flip);
    let big = x >= 0.67434lf;
    if (big) {
        x = fence_f64(7.85398163397448278999e-01lf - x) + fence_f64(3.06161699786838301793e-17lf - y);
        y = 0.0lf;
    }
    let z = x * x;
    let w = z * z;
    let o4 = 7.81794442939557092300e-05lf + w * -1.85586374855275456654e-05lf;
    let o3 = 5.88041240820264096874e-04lf + w * o4;
    let o2 = 3.59207910759131235356e-03lf + w * o3;
    let o1 = 2.18694882948595424599e-02lf + w * o2;
    let o0 = 1.33333333333201242699e-01lf + w * o1;
    let v4 = 7.14072491382608190305e-05lf + w * 2.59073051863633712884e-05lf;
    let v3 = 2.46463134818469906812e-04lf + w * v4;
    let v2 = 1.45620945432529025516e-03lf + w * v3;
    let v1 = 8.86323982359930005737e-03lf + w * v2;
    let v0 = z * (5.39682539762260521377e-02lf + w * v1);
    let s = z * x;
    let r = (y + z * (s * (o0 + v0) + y)) + s * 3.33333333333334091986e-01lf;
    let t = x + r;
    var value = t;
    if (big) {
        let one = select(1.0lf, -1.0lf, odd);
        value = one - 2.0lf * (x + (r - (t * t) / (t + one)));
    } else if (odd) {
        // -1 / (x + r) in two parts.
        let t_h = high_part_f64(t);
        let t_l = r - (t_h - x);
        let q = -1.0lf / t;
        let q_h = high_part_f64(q);
        value = q_h + q * (fence_f64(1.0lf + q_h * t_h) + q_h * t_l);
    }
    return select(value, -value, flip);
}

// (asin(x) - x) / x at z = x^2 <= 1/4, fdlibm e_asin.c.
fn asin_tail_f64(z: f64) -> f64 {
    let p4 = 7.91534994289814532176e-04lf + z * 3.47933107596021167570e-05lf;
    let p3 = -4.00555345006794114027e-02lf + z * p4;
    let p2 = 2.01212532134862925881e-01lf + z * p3;
    let p1 = -3.25565818622400915405e-01lf + z * p2;
    let p0 = 1.66666666666666657415e-01lf + z * p1;
    let q3 = -6.88283971605453293030e-01lf + z * 7.70381505559019352791e-02lf;
    let q2 = 2.02094576023350569471e+00lf + z * q3;
    let q1 = -2.40339491173441421878e+00lf + z * q2;
    return (z * p0) / (1.0lf + z * q1);
}

// Inverse sine, fdlibm e_asin.c. 1 ulp; NaN outside [-1, 1].
fn asin_f64(a: f64) -> f64 {
    let magnitude = magnitude_f64(a);
    if (magnitude > 0x3ff0000000000000lu) {
        return nan_f64();
    }
    if (magnitude < 0x3e40000000000000lu) {
        return a;
    }
    let x = abs_f64(a);
    if (x < 0.5lf) {
        return a + a * asin_tail_f64(x * x);
    }
    let z = 0.5lf * (1.0lf - x);
    let s = sqrt_f64(z);
    let r = asin_tail_f64(z);
    var y = 0.0lf;
    if (x >= 0.975lf) {
        y = 1.5707963267948966lf - fence_f64(2.0lf * (s + s * r) - 6.123233995736766e-17lf);
    } else {
        let f = high_part_f64(s);
        let c = (z - f * f) / (s + f);
        let p = fence_f64(2.0lf * s * r - (6.123233995736766e-17lf - 2.0lf * c));
        let q = fence_f64(0.7853981633974483lf - 2.0lf * f);
        y = 0.7853981633974483lf - (p - q);
    }
    return copysign_f64(y, a);
}

// Inverse cosine, fdlibm e_acos.c. 1 ulp; NaN outside [-1, 1].
fn acos_f64(a: f64) -> f64 {
    if (magnitude_f64(a) > 0x3ff0000000000000lu) {
        return nan_f64();
    }
    let x = abs_f64(a);
    if (x < 0.5lf) {
        return 1.5707963267948966lf - (a - fence_f64(6.123233995736766e-17lf - a * asin_tail_f64(x * x)));
    }
    let z = 0.5lf * (1.0lf - x);
    if (z == 0.0lf) {
        return select(0.0lf, 3.141592653589793lf, is_negative_f64(a));
    }
    let s = sqrt_f64(z);
    let r = asin_tail_f64(z);
    if (is_negative_f64(a)) {
        return 2.0lf * (1.5707963267948966lf - (s + fence_f64(r * s - 6.123233995736766e-17lf)));
    }
    let f = high_part_f64(s);
    let c = (z - f * f) / (s + f);
    return 2.0lf * (f + (r * s + c));
}

// atan(x) for x >= 0, fdlibm s_atan.c. 1 ulp.
fn atan_positive_f64(x: f64) -> f64 {
    if (x >= 73786976294838206464.0lf) {
        return 1.5707963267948966lf;
    }
    var t = x;
    var high = 0.0lf;
    var low = 0.0lf;
    if (x >= 2.4375lf) {
        t = -1.0lf / x;
        high = 1.57079632679489655800e+00lf;
        low = 6.12323399573676603587e-17lf;
    } else if (x >= 1.1875lf) {
        t = (x - 1.5lf) / (1.0lf + 1.5lf * x);
        high = 9.82793723247329054082e-01lf;
        low = 1.39033110312309984516e-17lf;
    } else if (x >= 0.6875lf) {
        t = (x - 1.0lf) / (x + 1.0lf);
        high = 7.85398163397448278999e-01lf;
        low = 3.06161699786838301793e-17lf;
    } else if (x >= 0.4375lf) {
        t = (2.0lf * x - 1.0lf) / (2.0lf + x);
        high = 4.63647609000806093515e-01lf;
        low = 2.26987774529616870924e-17lf;
    }
    let z = t * t;
    let w = z * z;
    let o4 = 4.97687799461593236017e-02lf + w * 1.62858201153657823623e-02lf;
    let o3 = 6.66107313738753120669e-02lf + w * o4;
    let o2 = 9.09088713343650656196e-02lf + w * o3;
    let o1 = 1.42857142725034663711e-01lf + w * o2;
    let s1 = z * (3.33333333333329318027e-01lf + w * o1);
    let e3 = -5.83357013379057348645e-02lf + w * -3.65315727442169155270e-02lf;
    let e2 = -7.69187620504482999495e-02lf + w * e3;
    let e1 = -1.11111104054623557880e-01lf + w * e2;
    let s2 = w * (-1.99999999998764832476e-01lf + w * e1);
    return high - ((t * (s1 + s2) - low) - t);
}

// Inverse tangent, fdlibm s_atan.c. 1 ulp.
fn atan_f64(a: f64) -> f64 {
    if (is_nan_f64(a)) {
        return a;
    }
    return copysign_f64(atan_positive_f64(abs_f64(a)), a);
}

// Angle of the point (x, y) in [-pi, pi], with C's signed zeros and infinities; fdlibm e_atan2.c. 2 ulp.
fn atan2_f64(y: f64, x: f64) -> f64 {
    if (is_nan_f64(x) || is_nan_f64(y)) {
        return nan_f64();
    }
    let ix = magnitude_f64(x);
    let iy = magnitude_f64(y);
    let left = is_negative_f64(x);
    let infinite = 0x7ff0000000000000lu;
    let apart = 0x0400000000000000lu;
    var angle = 0.0lf;
    if (iy == 0lu) {
        angle = select(0.0lf, 3.141592653589793lf, left);
    } else if (ix == 0lu) {
        angle = 1.5707963267948966lf;
    } else if (iy == infinite) {
        angle = select(1.5707963267948966lf, select(0.7853981633974483lf, 2.356194490192345lf, left), ix == infinite);
    } else if (ix == infinite) {
        angle = select(0.0lf, 3.141592653589793lf, left);
    } else if (iy > ix + apart) {
        angle = 1.5707963267948966lf;
    } else {
        // Both are brought near 1, so that neither the quotient nor a driver's reciprocal leaves the range.
        let down = ix > 0x7e00000000000000lu || iy > 0x7e00000000000000lu;
        let up = ix < 0x2000000000000000lu || iy < 0x2000000000000000lu;
        let scale = select(select(1.0lf, 18014398509481984.0lf, up), 5.42101086242752217e-20lf, down);
        var z = 0.0lf;
        if (!left || iy + apart >= ix) {
            z = atan_positive_f64((bitcast<f64>(iy) * scale) / (bitcast<f64>(ix) * scale));
        }
        angle = select(z, 3.141592653589793lf - fence_f64(z - 1.2246467991473532e-16lf), left);
    }
    return copysign_f64(angle, y);
}

// sqrt(a^2 + b^2) with both scaled by a power of two. 1.5 ulp; infinite if either is.
fn hypot_f64(a: f64, b: f64) -> f64 {
    let ia = magnitude_f64(a);
    let ib = magnitude_f64(b);
    if (ia == 0x7ff0000000000000lu || ib == 0x7ff0000000000000lu) {
        return inf_f64();
    }
    let large = max(ia, ib);
    if (large > 0x7ff0000000000000lu) {
        return nan_f64();
    }
    let small = min(ia, ib);
    if (small == 0lu) {
        return bitcast<f64>(large);
    }
    let e = clamp(i32(u32(large >> 52u)) - 1023, -1022, 1022);
    let down = pow2_f64(-e);
    let x = bitcast<f64>(large) * down;
    let y = bitcast<f64>(small) * down;
    return sqrt_f64(x * x + y * y) * pow2_f64(e);
}

// Cube root, fdlibm s_cbrt.c on |a| = x 2^(3 q) with x in [1, 8). 1 ulp.
fn cbrt_f64(a: f64) -> f64 {
    let magnitude = magnitude_f64(a);
    if (magnitude == 0lu || magnitude >= 0x7ff0000000000000lu) {
        return a;
    }
    var bits = magnitude;
    var e = -1023;
    if (bits < 0x10000000000000lu) {
        let shift = leading_zeros_f64(bits) - 11u;
        bits = bits << shift;
        e = e - i32(shift);
    }
    e = e + i32(u32(bits >> 52u));
    let q = (e + 3000) / 3 - 1000;
    let x = bitcast<f64>((bits & 0xffffffffffffflu) | (u64(u32(e - 3 * q + 1023)) << 52u));
    // 5 bits from the exponent, 23 from a polynomial in t^3 / x, cut to 22, and one Newton step.
    let t0 = bitcast<f64>(u64(u32(bitcast<u64>(x) >> 32u) / 3u + 715094163u) << 32u);
    let r0 = (t0 * t0) * (t0 / x);
    let p1 = -0.758397934778766047437lf + r0 * 0.145996192886612446982lf;
    let p0 = 1.87595182427177009643lf + r0 * (-1.88497979543377169875lf + r0 * 1.621429720105354466140lf);
    let t1 = t0 * (p0 + ((r0 * r0) * r0) * p1);
    let t = bitcast<f64>((bitcast<u64>(t1) + 0x80000000lu) & 0xffffffffc0000000lu);
    let r = x / (t * t);
    let y = t + t * ((r - t) / (2.0lf * t + r));
    return copysign_f64(y * pow2_f64(q), a);
}

// Hyperbolic sine: Taylor series below 1, e^x / 2 - e^-x / 2 above. 2 ulp.
fn sinh_f64(a: f64) -> f64 {
    if (is_nan_f64(a) || magnitude_f64(a) < 0x3e40000000000000lu) {
        return a;
    }
    let x = abs_f64(a);
    if (x < 1.0lf) {
        let z = x * x;
        let p7 = 2.8114572543455206e-15lf + z * 8.22063524662433e-18lf;
        let p6 = 7.647163731819816e-13lf + z * p7;
        let p5 = 1.6059043836821613e-10lf + z * p6;
        let p4 = 2.505210838544172e-08lf + z * p5;
        let p3 = 2.7557319223985893e-06lf + z * p4;
        let p2 = 0.0001984126984126984lf + z * p3;
        let p1 = 0.008333333333333333lf + z * p2;
        let p0 = 0.16666666666666666lf + z * p1;
        return a + a * (z * p0);
    }
    if (x > 711.0lf) {
        return copysign_f64(inf_f64(), a);
    }
    let e = exp_scaled_f64(x, -1);
    return copysign_f64(e - 0.25lf / e, a);
}

// Hyperbolic cosine. 2 ulp.
fn cosh_f64(a: f64) -> f64 {
    if (is_nan_f64(a)) {
        return a;
    }
    let x = abs_f64(a);
    if (x > 711.0lf) {
        return inf_f64();
    }
    let e = exp_scaled_f64(x, -1);
    return e + 0.25lf / e;
}

// Hyperbolic tangent: Cephes tanh.c below 0.625, 1 - 2 / (e^2x + 1) above. 1.5 ulp.
fn tanh_f64(a: f64) -> f64 {
    if (is_nan_f64(a) || magnitude_f64(a) < 0x3e40000000000000lu) {
        return a;
    }
    let x = abs_f64(a);
    if (x > 22.0lf) {
        return copysign_f64(1.0lf, a);
    }
    if (x > 0.625lf) {
        return copysign_f64(1.0lf - 2.0lf / (exp_scaled_f64(2.0lf * x, 0) + 1.0lf), a);
    }
    let z = x * x;
    let p = (-9.64399179425052238628e-1lf * z - 9.92877231001918586564e1lf) * z - 1.61468768441708447952e3lf;
    let q = ((z + 1.12811678491632931402e2lf) * z + 2.23548839060100448583e3lf) * z + 4.84406305325125486048e3lf;
    return a + a * ((z * p) / q);
}

// Inverse hyperbolic sine, fdlibm s_asinh.c. 2 ulp.
fn asinh_f64(a: f64) -> f64 {
    if (!is_finite_f64(a) || magnitude_f64(a) < 0x3e40000000000000lu) {
        return a;
    }
    let x = abs_f64(a);
    var y = 0.0lf;
    if (x > 268435456.0lf) {
        y = ln_f64(x) + 0.6931471805599453lf;
    } else if (x > 2.0lf) {
        y = ln_f64(2.0lf * x + 1.0lf / (sqrt_f64(x * x + 1.0lf) + x));
    } else {
        let z = x * x;
        y = ln_1p_kernel_f64(x + z / (sqrt_f64(z + 1.0lf) + 1.0lf), 0.0lf);
    }
    return copysign_f64(y, a);
}

// Inverse hyperbolic cosine, fdlibm e_acosh.c; below 2 the argument of ln(1 + .) is found in two parts. 2 ulp; NaN below 1.
fn acosh_f64(a: f64) -> f64 {
    if (is_nan_f64(a) || a < 1.0lf) {
        return nan_f64();
    }
    if (a == 1.0lf) {
        return 0.0lf;
    }
    if (a < 2.0lf) {
        // s + d = sqrt(t (t + 2)), u + v = t + s + d
        let t = fence_f64(a - 1.0lf);
        let t_h = high_part_f64(t);
        let t_l = t - t_h;
        let z = 2.0lf * t + t * t;
        let s = sqrt_f64(z);
        let s_h = high_part_f64(s);
        let s_l = s - s_h;
        // t^2 + 2 t - s^2 from exact products
        let rest0 = fence_f64((2.0lf * t_h - s_h * s_h) + t_h * t_h);
        let rest1 = 2.0lf * t_l - 2.0lf * s_h * s_l;
        let rest2 = 2.0lf * t_h * t_l + (t_l * t_l - s_l * s_l);
        let rest = rest0 + (rest1 + rest2);
        let d = rest / (2.0lf * s);
        let u = fence_f64(t + s);
        let v = (fence_f64(s - u) + t) + d;
        return ln_1p_kernel_f64(u, v / (1.0lf + u));
    }
    if (a < 268435456.0lf) {
        return ln_f64(2.0lf * a - 1.0lf / (a + sqrt_f64(a * a - 1.0lf)));
    }
    return ln_f64(a) + select(0.6931471805599453lf, 0.0lf, !is_finite_f64(a));
}

// Inverse hyperbolic tangent, fdlibm e_atanh.c. 2 ulp; infinite at -1 and 1, NaN outside.
fn atanh_f64(a: f64) -> f64 {
    let magnitude = magnitude_f64(a);
    if (magnitude >= 0x3ff0000000000000lu) {
        return select(nan_f64(), copysign_f64(inf_f64(), a), magnitude == 0x3ff0000000000000lu);
    }
    if (magnitude < 0x3e30000000000000lu) {
        return a;
    }
    let x = abs_f64(a);
    let twice = 2.0lf * x;
    var t = twice + (twice * x) / (1.0lf - x);
    if (x >= 0.5lf) {
        t = twice / (1.0lf - x);
    }
    return copysign_f64(0.5lf * ln_1p_kernel_f64(t, 0.0lf), a);
}

// a^b for finite a > 0 that is not 1 and finite b that is not 0, fdlibm e_pow.c. 1 ulp.
fn pow_positive_f64(a: f64, b: f64) -> f64 {
    var bits = bitcast<u64>(a);
    var n = -1023;
    if (bits < 0x10000000000000lu) {
        let zeros = leading_zeros_f64(bits) - 11u;
        bits = bits << zeros;
        n = n - i32(zeros);
    }
    n = n + i32(u32(bits >> 52u));
    let mantissa = bits & 0xffffffffffffflu;
    // a = 2^n x, x near 1 or 1.5.
    var ix = mantissa | 0x3ff0000000000000lu;
    var upper = false;
    if (mantissa >= 0xbb67a00000000lu) {
        n = n + 1;
        ix = ix - 0x10000000000000lu;
    } else if (mantissa >= 0x3988f00000000lu) {
        upper = true;
    }
    let x = bitcast<f64>(ix);
    let centre = select(1.0lf, 1.5lf, upper);
    // s = (x - c) / (x + c) = s_h + s_l
    let u0 = fence_f64(x - centre);
    let v0 = 1.0lf / (x + centre);
    let s = u0 * v0;
    let s_h = high_part_f64(s);
    let c_bits = ((ix >> 33u) | 0x20000000lu) + 0x00080000lu + select(0lu, 0x40000lu, upper);
    let c_h = bitcast<f64>(c_bits << 32u);
    let c_l = x - fence_f64(c_h - centre);
    let s_l = v0 * (fence_f64(u0 - s_h * c_h) - s_h * c_l);
    // log2(x) in parts
    let q = s * s;
    let r5 = 2.30660745775561754067e-01lf + q * 2.06975017800338417784e-01lf;
    let r4 = 2.72728123808534006489e-01lf + q * r5;
    let r3 = 3.33333329818377432918e-01lf + q * r4;
    let r2 = 4.28571428578550184252e-01lf + q * r3;
    let r1 = 5.99999999999994648725e-01lf + q * r2;
    let r0 = (q * q) * r1 + s_l * (s_h + s);
    let q_h = s_h * s_h;
    let t_h = high_part_f64((3.0lf + q_h) + r0);
    let t_l = r0 - fence_f64(fence_f64(t_h - 3.0lf) - q_h);
    let u1 = s_h * t_h;
    let v1 = s_l * t_h + t_l * s;
    let p_h = high_part_f64(u1 + v1);
    let p_l = v1 - fence_f64(p_h - u1);
    let z_h = 9.61796700954437255859e-01lf * p_h;
    let d_h = select(0.0lf, 5.84962487220764160156e-01lf, upper);
    let d_l = select(0.0lf, 1.35003920212974897128e-08lf, upper);
    let z_l = (-7.02846165095275826516e-09lf * p_h + p_l * 9.61796693925975554329e-01lf) + d_l;
    let k = f64(n);
    let l_h = high_part_f64(((z_h + z_l) + d_h) + k);
    let l_l = z_l - fence_f64(fence_f64(fence_f64(l_h - k) - d_h) - z_h);
    // b log2(a) in parts
    let b_h = high_part_f64(b);
    let e_l = fence_f64(fence_f64(b - b_h) * l_h + b * l_l);
    let e_h = b_h * l_h;
    let e = e_l + e_h;
    if (!(e < 1025.0lf)) {
        return inf_f64();
    }
    if (e < -1077.0lf) {
        return 0.0lf;
    }
    // 2^(e_h + e_l)
    let i = nearest_f64(e);
    let f_h = fence_f64(e_h - f64(i));
    let t = high_part_f64(e_l + f_h);
    let u = t * 6.93147182464599609375e-01lf;
    let v = (e_l - fence_f64(t - f_h)) * 6.93147180559945286227e-01lf + t * -1.90465429995776804525e-09lf;
    let z = fence_f64(u + v);
    let w = v - fence_f64(z - u);
    let zz = z * z;
    let g4 = -1.65339022054652515390e-06lf + zz * 4.13813679705723846039e-08lf;
    let g3 = 6.61375632143793436117e-05lf + zz * g4;
    let g2 = -2.77777777770155933842e-03lf + zz * g3;
    let g1 = z - zz * (1.66666666666666019037e-01lf + zz * g2);
    let r = (z * g1) / (g1 - 2.0lf) - (w + z * w);
    return scale_f64(1.0lf - fence_f64(r - z), i);
}

// a^b with the special cases of C's pow (Rust's powf): a^0 = 1^b = 1, negative a for whole b only. 1 ulp.
fn powf_f64(a: f64, b: f64) -> f64 {
    let one = 0x3ff0000000000000lu;
    let infinite = 0x7ff0000000000000lu;
    let ia = magnitude_f64(a);
    let ib = magnitude_f64(b);
    let negative_a = is_negative_f64(a);
    let negative_b = is_negative_f64(b);
    if (ib == 0lu || bitcast<u64>(a) == one) {
        return 1.0lf;
    }
    if (ia > infinite || ib > infinite) {
        return nan_f64();
    }
    // 0: b is not whole, 1: odd, 2: even
    var whole = 0u;
    if (ib >= 0x4340000000000000lu) {
        whole = 2u;
    } else if (ib >= one) {
        let point = 1075u - u32(ib >> 52u);
        let m = (ib & 0xffffffffffffflu) | 0x10000000000000lu;
        if (((m >> point) << point) == m) {
            whole = 2u - (u32(m >> point) & 1u);
        }
    }
    let sign = select(0lu, 0x8000000000000000lu, negative_a && whole == 1u);
    if (ib == infinite) {
        if (ia == one) {
            return 1.0lf;
        }
        return select(0.0lf, inf_f64(), (ia > one) != negative_b);
    }
    if (ia == 0lu || ia == infinite) {
        return bitcast<f64>(sign | select(0lu, infinite, (ia == 0lu) == negative_b));
    }
    if (negative_a && whole == 0u) {
        return nan_f64();
    }
    var y = 1.0lf;
    if (ia != one) {
        y = pow_positive_f64(bitcast<f64>(ia), b);
    }
    return bitcast<f64>(sign | bitcast<u64>(y));
}
