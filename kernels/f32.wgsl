// Elementary functions on f32. The code generator copies the items it needs, with what they call, by name.
// The error bounds are in units of the last place, measured against f64 where division and sqrt round correctly; Vulkan allows
// them 2.5 ulp, which adds about that much to the functions that divide last.
// Written for drivers that may fuse a*b+c, cancel (a+b)-a, move constants through sums (Mesa does, measured), flush denormals
// and ignore NaN in comparisons: NaN and infinity are made and tested by bits, and the order of a sum that matters is held by
// fence_f32. The f32 builtins are not used where WGSL allows them large errors (sin, cos, tan, asin, acos, atan, pow, exp, log).

// Infinity, from bits that are not a constant expression.
fn inf_f32() -> f32 {
    var bits: u32 = 0x7f800000u;
    return bitcast<f32>(bits);
}

// A quiet NaN, from bits that are not a constant expression.
fn nan_f32() -> f32 {
    var bits: u32 = 0x7fc00000u;
    return bitcast<f32>(bits);
}

// Whether a is NaN, by its bits.
fn is_nan_f32(a: f32) -> bool {
    return (bitcast<u32>(a) & 0x7fffffffu) > 0x7f800000u;
}

// Whether a is neither infinite nor NaN, by its bits; see is_finite_f64 for the detour.
fn is_finite_f32(a: f32) -> bool {
    let bits = min(bitcast<u32>(a), 0xfffffff0u);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

// a itself, behind an integer operation: no compiler can move a sum or a constant across it.
fn fence_f32(a: f32) -> f32 {
    return bitcast<f32>(min(bitcast<u32>(a), 0xfffffff0u));
}

// |a|, exact.
fn abs_f32(a: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(a) & 0x7fffffffu);
}

// |a| with the sign of b, exact.
fn copysign_f32(a: f32, b: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(a) & 0x7fffffffu) | (bitcast<u32>(b) & 0x80000000u));
}

// -1, 0 or 1; NaN for NaN.
fn sign_f32(a: f32) -> f32 {
    let magnitude = bitcast<u32>(a) & 0x7fffffffu;
    let one = select(0x3f800000u, 0u, magnitude == 0u);
    let bits = select(one, magnitude, magnitude > 0x7f800000u);
    return bitcast<f32>(bits | (bitcast<u32>(a) & 0x80000000u));
}

// Largest integer not above a.
fn floor_f32(a: f32) -> f32 {
    return floor(a);
}

// Smallest integer not below a.
fn ceil_f32(a: f32) -> f32 {
    return ceil(a);
}

// Integer part.
fn trunc_f32(a: f32) -> f32 {
    return trunc(a);
}

// Nearest integer, halves away from zero (the builtin goes to even).
fn round_f32(a: f32) -> f32 {
    let magnitude = bitcast<u32>(a) & 0x7fffffffu;
    if (magnitude >= 0x4b000000u) {
        return a;
    }
    let x = bitcast<f32>(magnitude);
    let whole = floor(x);
    let nearest = whole + select(0.0f, 1.0f, x - whole >= 0.5f);
    return bitcast<f32>(bitcast<u32>(nearest) | (bitcast<u32>(a) & 0x80000000u));
}

// 1 / a; infinite at 0.
fn recip_f32(a: f32) -> f32 {
    let bits = bitcast<u32>(a);
    let magnitude = bits & 0x7fffffffu;
    if (magnitude == 0u) {
        return bitcast<f32>(bits | 0x7f800000u);
    }
    if (magnitude >= 0x7f800000u) {
        return select(bitcast<f32>(bits & 0x80000000u), a, magnitude > 0x7f800000u);
    }
    return 1.0f / a;
}

// Square root; NaN below 0.
fn sqrt_f32(a: f32) -> f32 {
    let bits = bitcast<u32>(a);
    if ((bits & 0x7fffffffu) == 0u) {
        return a;
    }
    if (bits >= 0x7f800000u) {
        return select(nan_f32(), a, bits == 0x7f800000u);
    }
    return sqrt(a);
}

// 1 if a = b, else 0.
fn eq_f32(a: f32, b: f32) -> f32 {
    return select(0.0f, 1.0f, a == b);
}

// 1 if a and b differ, else 0; NaN differs from everything.
fn ne_f32(a: f32, b: f32) -> f32 {
    return select(1.0f, 0.0f, a == b && !is_nan_f32(a));
}

// 1 if a < b, else 0.
fn lt_f32(a: f32, b: f32) -> f32 {
    return select(0.0f, 1.0f, a < b);
}

// 1 if a <= b, else 0.
fn le_f32(a: f32, b: f32) -> f32 {
    return select(0.0f, 1.0f, a <= b);
}

// 1 if a > b, else 0.
fn gt_f32(a: f32, b: f32) -> f32 {
    return select(0.0f, 1.0f, a > b);
}

// 1 if a >= b, else 0.
fn ge_f32(a: f32, b: f32) -> f32 {
    return select(0.0f, 1.0f, a >= b);
}

// a where c is not 0, else b.
fn select_f32(c: f32, a: f32, b: f32) -> f32 {
    return select(a, b, c == 0.0f && !is_nan_f32(c));
}

// The smaller; a at a tie; NaN if either is.
fn min_f32(a: f32, b: f32) -> f32 {
    let smaller = select(b, a, a <= b);
    let passed = select(smaller, b, is_nan_f32(b));
    return select(passed, a, is_nan_f32(a));
}

// The larger; a at a tie; NaN if either is.
fn max_f32(a: f32, b: f32) -> f32 {
    let larger = select(b, a, a >= b);
    let passed = select(larger, b, is_nan_f32(b));
    return select(passed, a, is_nan_f32(a));
}

// max(lo, min(x, hi)).
fn clamp_f32(x: f32, lo: f32, hi: f32) -> f32 {
    return max_f32(lo, min_f32(x, hi));
}

// a - b trunc(a / b), exact for every finite pair: long division of the significands, 8 bits a step.
fn rem_f32(a: f32, b: f32) -> f32 {
    let sign = bitcast<u32>(a) & 0x80000000u;
    let x = bitcast<u32>(a) & 0x7fffffffu;
    let y = bitcast<u32>(b) & 0x7fffffffu;
    if (x >= 0x7f800000u || y > 0x7f800000u || y == 0u) {
        return nan_f32();
    }
    if (x < y) {
        return a;
    }
    // Denormals have exponent field 1 without the hidden bit.
    let ex = max(x >> 23u, 1u);
    let ey = max(y >> 23u, 1u);
    let my = select((y & 0x7fffffu) | 0x800000u, y, y < 0x800000u);
    var rest = select((x & 0x7fffffu) | 0x800000u, x, x < 0x800000u) % my;
    var left = ex - ey;
    for (var i = 0u; i < 36u; i = i + 1u) {
        if (left == 0u || rest == 0u) {
            break;
        }
        let step = min(left, 8u);
        rest = (rest << step) % my;
        left = left - step;
    }
    if (rest == 0u) {
        return bitcast<f32>(sign);
    }
    // rest * 2^(ey - 150), rest < 2^24: normalise as far as the exponent allows.
    let shift = min(countLeadingZeros(rest) - 8u, ey - 1u);
    let m = rest << shift;
    let e = select(ey - shift, 0u, m < 0x800000u);
    return bitcast<f32>(sign | (e << 23u) | (m & 0x7fffffu));
}

// 2^n for -126 <= n <= 127, exact.
fn pow2_f32(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

// x 2^n for -252 <= n <= 254, rounded once: to infinity or to a denormal (or 0) at the ends.
fn scale_f32(x: f32, n: i32) -> f32 {
    let half = n >> 1u;
    return fence_f32(x * pow2_f32(half)) * pow2_f32(n - half);
}

// e^a 2^n for |a| <= 110, |n| <= 2: k = round(a / ln 2), Cephes expf polynomial on |r| <= ln 2 / 2. 1.1 ulp.
fn exp_scaled_f32(a: f32, n: i32) -> f32 {
    let k = floor(a * 1.44269504f + 0.5f);
    let high = fence_f32(a - k * 0.693359375f);
    let r = fence_f32(high + k * 2.12194440e-4f);
    let p4 = 1.9875691500e-4f * r + 1.3981999507e-3f;
    let p3 = p4 * r + 8.3334519073e-3f;
    let p2 = p3 * r + 4.1665795894e-2f;
    let p1 = p2 * r + 1.6666665459e-1f;
    let p0 = p1 * r + 5.0000001201e-1f;
    let y = 1.0f + fence_f32(r + (r * r) * p0);
    return scale_f32(y, i32(k) + n);
}

// e^a. 1.1 ulp; denormal (or flushed) below -87.3, 0 below -103.98, infinite above 88.72.
fn exp_f32(a: f32) -> f32 {
    if (is_nan_f32(a)) {
        return a;
    }
    if (a > 89.0f) {
        return inf_f32();
    }
    if (a < -104.0f) {
        return 0.0f;
    }
    return exp_scaled_f32(a, 0);
}

// 2^a = 2^round(a) 2^r, Cephes exp2f polynomial on |r| <= 1/2. 1.3 ulp;
// denormal (or flushed) below -126, 0 below -150, infinite from 128.
fn exp2_f32(a: f32) -> f32 {
    if (is_nan_f32(a)) {
        return a;
    }
    if (a >= 128.0f) {
        return inf_f32();
    }
    if (a < -150.0f) {
        return 0.0f;
    }
    let k = floor(a + 0.5f);
    let r = fence_f32(a - k);
    let p5 = 1.535336188319500e-4f * r + 1.339887440266574e-3f;
    let p4 = p5 * r + 9.618437357674640e-3f;
    let p3 = p4 * r + 5.550332471162809e-2f;
    let p2 = p3 * r + 2.402264791363012e-1f;
    let p1 = p2 * r + 6.931472028550421e-1f;
    return scale_f32(1.0f + fence_f32(r * p1), i32(k));
}

// e^a - 1: 2^k (r + q) + (2^k - 1) with q = e^r - 1 - r near minimax on |r| <= ln 2 / 2. 1.5 ulp.
fn exp_m1_f32(a: f32) -> f32 {
    if (is_nan_f32(a)) {
        return a;
    }
    if (a > 60.0f) {
        return exp_f32(a);
    }
    if (a < -18.0f) {
        return -1.0f;
    }
    let k = floor(a * 1.44269504f + 0.5f);
    let high = fence_f32(a - k * 0.693359375f);
    let r = fence_f32(high + k * 2.12194440e-4f);
    let p4 = 0.0001989101718f * r + 0.001393367373f;
    let p3 = p4 * r + 0.008333310902f;
    let p2 = p3 * r + 0.04166646471f;
    let p1 = p2 * r + 0.1666666668f;
    let p0 = p1 * r + 0.5f;
    let q = (r * r) * p0;
    if (k == 0.0f) {
        return select(r + q, a, (bitcast<u32>(a) & 0x7fffffffu) < 0x33000000u);
    }
    let two_k = pow2_f32(i32(k));
    return (r * two_k + fence_f32(two_k - 1.0f)) + q * two_k;
}

// (ln(1 + f) - f + f^2/2) for 1 + f in [sqrt(1/2), sqrt(2)] as s (f^2/2 + R(s^2)), s = f / (2 + f): fdlibm e_logf.c.
fn ln_tail_f32(f: f32) -> f32 {
    let s = f / (2.0f + f);
    let z = s * s;
    let w = z * z;
    let t1 = w * (0.40000972152f + w * 0.24279078841f);
    let t2 = z * (0.66666662693f + w * 0.28498786688f);
    return s * (0.5f * f * f + (t2 + t1));
}

// a = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)], as (f, k); a positive and finite, denormals included.
fn ln_split_f32(a: f32) -> vec2<f32> {
    var bits = bitcast<u32>(a);
    var k = -127;
    if (bits < 0x800000u) {
        let shift = countLeadingZeros(bits) - 8u;
        bits = (bits << shift) & 0x7fffffu;
        k = k + 1 - i32(shift);
        bits = bits | 0x800000u;
        k = k - 1;
    }
    bits = bits + (0x3f800000u - 0x3f3504f3u);
    k = k + i32(bits >> 23u);
    let m = bitcast<f32>((bits & 0x7fffffu) + 0x3f3504f3u);
    return vec2<f32>(fence_f32(m - 1.0f), f32(k));
}

// What the logarithms return outside 0 < a < inf: -inf at 0, NaN below, a itself otherwise.
fn ln_special_f32(a: f32) -> f32 {
    let bits = bitcast<u32>(a);
    if ((bits & 0x7fffffffu) == 0u) {
        return -inf_f32();
    }
    if (bits > 0x80000000u) {
        return nan_f32();
    }
    return a;
}

// Whether 0 < a < inf, by bits.
fn ln_domain_f32(a: f32) -> bool {
    let bits = bitcast<u32>(a);
    return bits != 0u && bits < 0x7f800000u;
}

// Natural logarithm, fdlibm e_logf.c. 1 ulp.
fn ln_f32(a: f32) -> f32 {
    if (!ln_domain_f32(a)) {
        return ln_special_f32(a);
    }
    let split = ln_split_f32(a);
    let f = split.x;
    let k = split.y;
    let tail = ln_tail_f32(f) + k * 9.0580006145e-06f;
    return ((tail - 0.5f * f * f) + f) + k * 6.9313812256e-01f;
}

// ln(1 + a), fdlibm s_log1pf.c. 1 ulp.
fn ln_1p_f32(a: f32) -> f32 {
    let bits = bitcast<u32>(a);
    if (bits >= 0xbf800000u) {
        return select(nan_f32(), -inf_f32(), bits == 0xbf800000u);
    }
    if ((bits & 0x7fffffffu) >= 0x7f800000u || (bits & 0x7fffffffu) < 0x33800000u) {
        return a;
    }
    var f = a;
    var k = 0.0f;
    var c = 0.0f;
    if (!(a > -0.2928f && a < 0.4142f)) {
        // 1 + a = u + d with u fenced, so that d is found exactly; the correction is d / u.
        let u = fence_f32(1.0f + a);
        let d = select(a - fence_f32(u - 1.0f), 1.0f - fence_f32(u - a), a > 1.0f);
        c = d / u;
        let split = ln_split_f32(u);
        f = split.x;
        k = split.y;
    }
    let tail = ln_tail_f32(f) + (k * 9.0580006145e-06f + c);
    return ((tail - 0.5f * f * f) + f) + k * 6.9313812256e-01f;
}

// ln(1 + f) as an exact high part of 12 bits and the rest: fdlibm e_log2f.c.
fn ln_parts_f32(f: f32) -> vec2<f32> {
    let half_square = 0.5f * f * f;
    let high = bitcast<f32>(bitcast<u32>(f - half_square) & 0xfffff000u);
    let low = (fence_f32(f - high) - half_square) + ln_tail_f32(f);
    return vec2<f32>(high, low);
}

// Logarithm to base 2, fdlibm e_log2f.c. 1 ulp.
fn log2_f32(a: f32) -> f32 {
    if (!ln_domain_f32(a)) {
        return ln_special_f32(a);
    }
    let split = ln_split_f32(a);
    let parts = ln_parts_f32(split.x);
    let low = (parts.y + parts.x) * -1.7605285393e-04f + parts.y * 1.4428710938e+00f;
    return (low + parts.x * 1.4428710938e+00f) + split.y;
}

// Logarithm to base 10, fdlibm e_log10f.c. 1 ulp.
fn log10_f32(a: f32) -> f32 {
    if (!ln_domain_f32(a)) {
        return ln_special_f32(a);
    }
    let split = ln_split_f32(a);
    let parts = ln_parts_f32(split.x);
    let k = split.y;
    let low = k * 7.9034151668e-07f + (parts.y + parts.x) * -3.1689971365e-05f;
    let sum = low + parts.y * 4.3432617188e-01f;
    return (sum + parts.x * 4.3432617188e-01f) + k * 3.0102920532e-01f;
}

// 1 / (1 + e^-a), below 0 as e^a - e^2a / (1 + e^a). 2 ulp.
fn sigmoid_f32(a: f32) -> f32 {
    if (is_nan_f32(a)) {
        return a;
    }
    let e = exp_f32(-abs_f32(a));
    let d = 1.0f + e;
    return select(e - (e * e) / d, 1.0f / d, a >= 0.0f);
}

// ln(1 + e^a). 2 ulp.
fn softplus_f32(a: f32) -> f32 {
    return max_f32(a, 0.0f) + ln_1p_f32(exp_f32(-abs_f32(a)));
}

// High 32 bits of the product of two 32-bit integers.
fn multiply_high_f32(a: u32, b: u32) -> u32 {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let low = a0 * b0;
    let m1 = a1 * b0 + (low >> 16u);
    let m2 = a0 * b1 + (m1 & 0xffffu);
    return a1 * b1 + (m1 >> 16u) + (m2 >> 16u);
}

// The i-th 32 bits of 1 / (2 pi) after the point; 0 for i = -1.
fn inverse_tau_f32(i: i32) -> u32 {
    switch i {
        case 0: { return 0x28be60dbu; }
        case 1: { return 0x9391054au; }
        case 2: { return 0x7f09d5f4u; }
        case 3: { return 0x7d4d3770u; }
        case 4: { return 0x36d8a566u; }
        case 5: { return 0x4f10e410u; }
        default: { return 0u; }
    }
}

// Payne-Hanek reduction: a = n pi/2 + r, |r| <= pi/4, as (r, n mod 4), for finite |a| >= 1; 96 bits of 1 / (2 pi). 1 ulp of r.
fn reduce_large_f32(a: f32) -> vec2<f32> {
    let bits = bitcast<u32>(a);
    let exponent = i32((bits >> 23u) & 0xffu) - 126;
    let m = (bits << 8u) | 0x80000000u;
    let word = exponent >> 5u;
    let shift = u32(exponent) & 31u;
    var hi = inverse_tau_f32(word - 1);
    var mid = inverse_tau_f32(word);
    var lo = inverse_tau_f32(word + 1);
    if (shift != 0u) {
        let back = 32u - shift;
        hi = (hi << shift) | (mid >> back);
        mid = (mid << shift) | (lo >> back);
        lo = (lo << shift) | (inverse_tau_f32(word + 2) >> back);
    }
    // p = the 64 bits of the product whose top two are the quadrant.
    let carry = multiply_high_f32(m, lo);
    var p0 = m * mid;
    var p1 = multiply_high_f32(m, mid) + m * hi;
    p0 = p0 + carry;
    p1 = p1 + select(0u, 1u, p0 < carry);
    var n = p1 >> 30u;
    p1 = p1 & 0x3fffffffu;
    let negative = p1 >= 0x20000000u;
    if (negative) {
        n = n + 1u;
        // p = 2^62 - p
        p0 = 0u - p0;
        p1 = 0x40000000u - p1 - select(0u, 1u, p0 != 0u);
    }
    if (p1 == 0u && p0 == 0u) {
        return vec2<f32>(0.0f, f32(n & 3u));
    }
    let zeros = select(countLeadingZeros(p1), 32u + countLeadingZeros(p0), p1 == 0u);
    var top = p0 << (zeros & 31u);
    if (zeros < 32u) {
        top = p1 << zeros;
        if (zeros != 0u) {
            top = top | (p0 >> (32u - zeros));
        }
    }
    let f = f32(top & 0xffffff00u);
    let g = f32(top & 0xffu);
    let scaled = f * 1.57079637f + (g * 1.57079637f - f * 4.37113883e-8f);
    let r = scaled * pow2_f32(-30 - i32(zeros));
    if ((bits >> 31u) != 0u) {
        return vec2<f32>(select(-r, r, negative), f32((4u - (n & 3u)) & 3u));
    }
    return vec2<f32>(select(r, -r, negative), f32(n & 3u));
}

// a = n pi/2 + r as (r, n mod 4) for finite a: Cody-Waite with pi/2 in five parts of 11 bits up to 12000, Payne-Hanek above.
fn reduce_f32(a: f32) -> vec2<f32> {
    let x = abs_f32(a);
    if (x > 12000.0f) {
        return reduce_large_f32(a);
    }
    if (x < 0.785f) {
        return vec2<f32>(a, 0.0f);
    }
    let n = floor(a * 0.636619772f + 0.5f);
    let r1 = fence_f32(a - n * 1.5703125f);
    let r2 = fence_f32(r1 - n * 4.837512969970703e-4f);
    let r3 = fence_f32(r2 - n * 7.549533620476723e-8f);
    let r4 = fence_f32(r3 - n * 2.5632829192545614e-12f);
    let r = r4 - n * 6.123233601181349e-17f;
    return vec2<f32>(r, f32(i32(n) & 3));
}

// sin on |r| <= pi/4, Cephes sinf. 1 ulp.
fn sin_kernel_f32(r: f32) -> f32 {
    let z = r * r;
    let p2 = -1.9515295891e-4f * z + 8.3321608736e-3f;
    let p1 = p2 * z - 1.6666654611e-1f;
    return r + r * (z * p1);
}

// cos on |r| <= pi/4, Cephes cosf. 1 ulp.
fn cos_kernel_f32(r: f32) -> f32 {
    let z = r * r;
    let p2 = 2.443315711809948e-5f * z - 1.388731625493765e-3f;
    let p1 = p2 * z + 4.166664568298827e-2f;
    let h = 0.5f * z;
    let u = fence_f32(1.0f - h);
    return u + (fence_f32((1.0f - u) - h) + (z * z) * p1);
}

// Sine. 2.5 ulp for every finite a; NaN at infinity.
fn sin_f32(a: f32) -> f32 {
    if (!is_finite_f32(a)) {
        return nan_f32();
    }
    if ((bitcast<u32>(a) & 0x7fffffffu) < 0x39000000u) {
        return a;
    }
    let reduced = reduce_f32(a);
    let n = u32(reduced.y);
    let value = select(sin_kernel_f32(reduced.x), cos_kernel_f32(reduced.x), (n & 1u) != 0u);
    return bitcast<f32>(bitcast<u32>(value) ^ ((n & 2u) << 30u));
}

// Cosine. 2.5 ulp for every finite a; NaN at infinity.
fn cos_f32(a: f32) -> f32 {
    if (!is_finite_f32(a)) {
        return nan_f32();
    }
    let reduced = reduce_f32(a);
    let n = u32(reduced.y) + 1u;
    let value = select(sin_kernel_f32(reduced.x), cos_kernel_f32(reduced.x), (n & 1u) != 0u);
    return bitcast<f32>(bitcast<u32>(value) ^ ((n & 2u) << 30u));
}

// Tangent, Cephes tanf polynomial. 3.5 ulp for every finite a; NaN at infinity.
fn tan_f32(a: f32) -> f32 {
    if (!is_finite_f32(a)) {
        return nan_f32();
    }
    let reduced = reduce_f32(a);
    let r = reduced.x;
    let z = r * r;
    let p5 = 9.38540185543e-3f * z + 3.11992232697e-3f;
    let p4 = p5 * z + 2.44301354525e-2f;
    let p3 = p4 * z + 5.34112807005e-2f;
    let p2 = p3 * z + 1.33387994085e-1f;
    let p1 = p2 * z + 3.33331568548e-1f;
    let t = r + r * (z * p1);
    if ((u32(reduced.y) & 1u) != 0u) {
        return -recip_f32(t);
    }
    return t;
}

// (asin(x) - x) / x at z = x^2 <= 1/4, Cephes asinf.
fn asin_tail_f32(z: f32) -> f32 {
    let p4 = 4.2163199048e-2f * z + 2.4181311049e-2f;
    let p3 = p4 * z + 4.5470025998e-2f;
    let p2 = p3 * z + 7.4953002686e-2f;
    let p1 = p2 * z + 1.6666752422e-1f;
    return p1 * z;
}

// Inverse sine, Cephes asinf polynomial in the frame of fdlibm e_asinf.c. 1.5 ulp; NaN outside [-1, 1].
fn asin_f32(a: f32) -> f32 {
    let x = abs_f32(a);
    let bits = bitcast<u32>(x);
    if (bits > 0x3f800000u) {
        return nan_f32();
    }
    if (x <= 0.5f) {
        return a + a * asin_tail_f32(x * x);
    }
    let z = 0.5f * (1.0f - x);
    let s = sqrt_f32(z);
    let r = s * asin_tail_f32(z);
    if (x >= 0.975f) {
        return copysign_f32(1.57079637f - fence_f32(2.0f * (s + r) + 4.37113883e-8f), a);
    }
    // sqrt(z) = h + c with h of 12 bits
    let h = bitcast<f32>(bitcast<u32>(s) & 0xfffff000u);
    let c = (z - h * h) / (s + h);
    let p = fence_f32(2.0f * r + (4.37113883e-8f + 2.0f * c));
    let q = fence_f32(0.785398185f - 2.0f * h);
    return copysign_f32(0.785398185f - (p - q), a);
}

// Inverse cosine, with the same polynomial. 1.5 ulp; NaN outside [-1, 1].
fn acos_f32(a: f32) -> f32 {
    let x = abs_f32(a);
    let bits = bitcast<u32>(x);
    if (bits > 0x3f800000u) {
        return nan_f32();
    }
    if (x <= 0.5f) {
        let tail = a * asin_tail_f32(x * x);
        return 1.57079637f - (a + fence_f32(tail + 4.37113883e-8f));
    }
    let z = 0.5f * (1.0f - x);
    let s = sqrt_f32(z);
    let y = 2.0f * (s + s * asin_tail_f32(z));
    return select(y, 3.14159274f - fence_f32(y + 8.74227766e-8f), (bitcast<u32>(a) >> 31u) != 0u);
}

// atan(x) for x >= 0, fdlibm s_atanf.c. 1 ulp and the division's.
fn atan_positive_f32(x: f32) -> f32 {
    if (x >= 67108864.0f) {
        return 1.57079637f;
    }
    var numerator = x;
    var denominator = 1.0f;
    var high = 0.0f;
    var low = 0.0f;
    if (x >= 2.4375f) {
        numerator = -1.0f;
        denominator = x;
        high = 1.5707962513e+00f;
        low = 7.5497894159e-08f;
    } else if (x >= 1.1875f) {
        numerator = x - 1.5f;
        denominator = 1.0f + 1.5f * x;
        high = 9.8279368877e-01f;
        low = 3.4473217170e-08f;
    } else if (x >= 0.6875f) {
        numerator = x - 1.0f;
        denominator = x + 1.0f;
        high = 7.8539812565e-01f;
        low = 3.7748947079e-08f;
    } else if (x >= 0.4375f) {
        numerator = 2.0f * x - 1.0f;
        denominator = 2.0f + x;
        high = 4.6364760399e-01f;
        low = 5.0121582440e-09f;
    }
    var t = x;
    if (x >= 0.4375f) {
        t = numerator / denominator;
    }
    let z = t * t;
    let w = z * z;
    let s1 = z * (3.3333328366e-01f + w * (1.4253635705e-01f + w * 6.1687607318e-02f));
    let s2 = w * (-1.9999158382e-01f + w * -1.0648017377e-01f);
    return high - ((t * (s1 + s2) - low) - t);
}

// Inverse tangent. 2 ulp.
fn atan_f32(a: f32) -> f32 {
    if (is_nan_f32(a)) {
        return a;
    }
    return copysign_f32(atan_positive_f32(abs_f32(a)), a);
}

// Angle of the point (x, y) in [-pi, pi], with C's signed zeros and infinities; fdlibm e_atan2f.c. 2 ulp.
fn atan2_f32(y: f32, x: f32) -> f32 {
    if (is_nan_f32(x) || is_nan_f32(y)) {
        return nan_f32();
    }
    let ix = bitcast<u32>(x) & 0x7fffffffu;
    let iy = bitcast<u32>(y) & 0x7fffffffu;
    let left = (bitcast<u32>(x) >> 31u) != 0u;
    var angle = 0.0f;
    if (iy == 0u) {
        angle = select(0.0f, 3.14159274f, left);
    } else if (ix == 0u) {
        angle = 1.57079637f;
    } else if (iy == 0x7f800000u) {
        angle = select(1.57079637f, select(0.785398185f, 2.35619450f, left), ix == 0x7f800000u);
    } else if (ix == 0x7f800000u) {
        angle = select(0.0f, 3.14159274f, left);
    } else if (iy > ix + (26u << 23u)) {
        angle = 1.57079637f;
    } else {
        // Both are brought near 1, so that neither the quotient nor a driver's reciprocal leaves the range.
        let down = ix > 0x7d000000u || iy > 0x7d000000u;
        let scale = select(select(1.0f, 16777216.0f, ix < 0x20000000u || iy < 0x20000000u), 0.0625f, down);
        var z = 0.0f;
        if (!left || iy + (26u << 23u) >= ix) {
            z = atan_positive_f32((bitcast<f32>(iy) * scale) / (bitcast<f32>(ix) * scale));
        }
        angle = select(z, 3.14159274f - fence_f32(z + 8.74227766e-8f), left);
    }
    return copysign_f32(angle, y);
}

// sqrt(a^2 + b^2) with both scaled by a power of two. 1.5 ulp; infinite if either is.
fn hypot_f32(a: f32, b: f32) -> f32 {
    let ia = bitcast<u32>(a) & 0x7fffffffu;
    let ib = bitcast<u32>(b) & 0x7fffffffu;
    if (ia == 0x7f800000u || ib == 0x7f800000u) {
        return inf_f32();
    }
    let large = max(ia, ib);
    if (large > 0x7f800000u) {
        return nan_f32();
    }
    let small = min(ia, ib);
    if (small == 0u) {
        return bitcast<f32>(large);
    }
    let e = clamp(i32(large >> 23u) - 127, -126, 126);
    let down = pow2_f32(-e);
    let x = bitcast<f32>(large) * down;
    let y = bitcast<f32>(small) * down;
    return sqrt_f32(x * x + y * y) * pow2_f32(e);
}

// Cube root: fdlibm's bit estimate, two Newton steps and one Halley step on |a| 2^(-3 q) in [1, 8). 1 ulp.
fn cbrt_f32(a: f32) -> f32 {
    let sign = bitcast<u32>(a) & 0x80000000u;
    var bits = bitcast<u32>(a) & 0x7fffffffu;
    if (bits == 0u || bits >= 0x7f800000u) {
        return a;
    }
    var e = 0;
    if (bits < 0x800000u) {
        let shift = countLeadingZeros(bits) - 8u;
        bits = ((bits << shift) & 0x7fffffu) | 0x800000u;
        e = -i32(shift);
    }
    // |a| = x 2^(3 q) with x in [1, 8).
    e = e + i32(bits >> 23u) - 127;
    let q = (e + 300) / 3 - 100;
    let x = bitcast<f32>((bits & 0x7fffffu) | (u32(e - 3 * q + 127) << 23u));
    var t = bitcast<f32>(bitcast<u32>(x) / 3u + 709958130u);
    t = t + (x / (t * t) - t) * 0.333333343f;
    t = t + (x / (t * t) - t) * 0.333333343f;
    // 12 bits of t have an exact square.
    let h = bitcast<f32>(bitcast<u32>(t) & 0xfffff000u);
    let w = x / (h * h);
    let y = h + h * (w - h) / (2.0f * h + w);
    return bitcast<f32>(sign | bitcast<u32>(y * pow2_f32(q)));
}

// Hyperbolic sine: Taylor series below 1, e^x / 2 - e^-x / 2 above. 2 ulp.
fn sinh_f32(a: f32) -> f32 {
    if (is_nan_f32(a)) {
        return a;
    }
    let x = abs_f32(a);
    if (x < 1.0f) {
        if (x < 2.4e-4f) {
            return a;
        }
        let z = x * x;
        let p3 = 2.5052108e-8f * z + 2.7557319e-6f;
        let p2 = p3 * z + 1.98412698e-4f;
        let p1 = p2 * z + 8.33333333e-3f;
        let p0 = p1 * z + 1.66666667e-1f;
        return a + a * (z * p0);
    }
    if (x > 90.0f) {
        return copysign_f32(inf_f32(), a);
    }
    let e = exp_scaled_f32(x, -1);
    return copysign_f32(e - 0.25f / e, a);
}

// Hyperbolic cosine. 2 ulp.
fn cosh_f32(a: f32) -> f32 {
    if (is_nan_f32(a)) {
        return a;
    }
    let x = abs_f32(a);
    if (x > 90.0f) {
        return inf_f32();
    }
    let e = exp_scaled_f32(x, -1);
    return e + 0.25f / e;
}

// Hyperbolic tangent: Cephes tanhf.c below 0.625, 1 - 2 / (e^2x + 1) above. 1.5 ulp.
fn tanh_f32(a: f32) -> f32 {
    if (is_nan_f32(a)) {
        return a;
    }
    let x = abs_f32(a);
    if (x < 2.4e-4f) {
        return a;
    }
    if (x > 10.0f) {
        return copysign_f32(1.0f, a);
    }
    if (x > 0.625f) {
        return copysign_f32(1.0f - 2.0f / (exp_scaled_f32(2.0f * x, 0) + 1.0f), a);
    }
    let z = x * x;
    let p4 = -5.70498872745e-3f * z + 2.06390887954e-2f;
    let p3 = p4 * z - 5.37397155531e-2f;
    let p2 = p3 * z + 1.33314422036e-1f;
    let p1 = p2 * z - 3.33332819422e-1f;
    return a + a * (z * p1);
}

// Inverse hyperbolic sine, fdlibm s_asinhf.c. 2 ulp.
fn asinh_f32(a: f32) -> f32 {
    let x = abs_f32(a);
    if (!is_finite_f32(a) || x < 2.4e-4f) {
        return a;
    }
    var y = 0.0f;
    if (x > 4096.0f) {
        y = ln_f32(x) + 0.693147182f;
    } else if (x > 2.0f) {
        y = ln_f32(2.0f * x + 1.0f / (sqrt_f32(x * x + 1.0f) + x));
    } else {
        y = ln_1p_f32(x + x * x / (sqrt_f32(x * x + 1.0f) + 1.0f));
    }
    return copysign_f32(y, a);
}

// Inverse hyperbolic cosine, fdlibm e_acoshf.c. 2.5 ulp; NaN below 1.
fn acosh_f32(a: f32) -> f32 {
    if (is_nan_f32(a) || a < 1.0f) {
        return nan_f32();
    }
    if (a < 2.0f) {
        let t = a - 1.0f;
        return ln_1p_f32(t + sqrt_f32(t * t + 2.0f * t));
    }
    if (a < 4096.0f) {
        return ln_f32(2.0f * a - 1.0f / (a + sqrt_f32(a * a - 1.0f)));
    }
    return ln_f32(a) + select(0.693147182f, 0.0f, !is_finite_f32(a));
}

// Inverse hyperbolic tangent, fdlibm e_atanhf.c. 2 ulp; infinite at -1 and 1, NaN outside.
fn atanh_f32(a: f32) -> f32 {
    let x = abs_f32(a);
    let bits = bitcast<u32>(x);
    if (bits >= 0x3f800000u) {
        return select(nan_f32(), copysign_f32(inf_f32(), a), bits == 0x3f800000u);
    }
    if (x < 2.4e-4f) {
        return a;
    }
    var t = 2.0f * x + 2.0f * x * x / (1.0f - x);
    if (x >= 0.5f) {
        t = 2.0f * (x / (1.0f - x));
    }
    return copysign_f32(0.5f * ln_1p_f32(t), a);
}

// |a|^b for finite |a| > 0 that is not 1 and finite b that is not 0, fdlibm e_powf.c. 1 ulp.
fn pow_positive_f32(a: f32, b: f32) -> f32 {
    var bits = bitcast<u32>(a);
    var n = -127;
    if (bits < 0x800000u) {
        let zeros = countLeadingZeros(bits) - 8u;
        bits = ((bits << zeros) & 0x7fffffu) | 0x800000u;
        n = n - i32(zeros);
    }
    n = n + i32(bits >> 23u);
    let mantissa = bits & 0x7fffffu;
    // a = 2^n x, x near 1 or 1.5.
    var ix = mantissa | 0x3f800000u;
    var upper = false;
    if (mantissa >= 0x5db3d7u) {
        n = n + 1;
        ix = ix - 0x800000u;
    } else if (mantissa > 0x1cc471u) {
        upper = true;
    }
    let x = bitcast<f32>(ix);
    let centre = select(1.0f, 1.5f, upper);
    // s = (x - c) / (x + c) = s_h + s_l
    let u0 = fence_f32(x - centre);
    let v0 = 1.0f / (x + centre);
    let s = u0 * v0;
    let s_h = bitcast<f32>(bitcast<u32>(s) & 0xfffff000u);
    let c_h = bitcast<f32>((((ix >> 1u) & 0xfffff000u) | 0x20000000u) + 0x00400000u + select(0u, 0x200000u, upper));
    let c_l = x - fence_f32(c_h - centre);
    let s_l = v0 * (fence_f32(u0 - s_h * c_h) - s_h * c_l);
    // log2(x) in parts
    let q = s * s;
    let r5 = 2.3066075146e-01f + q * 2.0697501302e-01f;
    let r4 = 2.7272811532e-01f + q * r5;
    let r3 = 3.3333334327e-01f + q * r4;
    let r2 = 4.2857143283e-01f + q * r3;
    let r1 = 6.0000002384e-01f + q * r2;
    let r0 = (q * q) * r1 + s_l * (s_h + s);
    let q_h = s_h * s_h;
    let t_h = bitcast<f32>(bitcast<u32>((3.0f + q_h) + r0) & 0xfffff000u);
    let t_l = r0 - fence_f32(fence_f32(t_h - 3.0f) - q_h);
    let u1 = s_h * t_h;
    let v1 = s_l * t_h + t_l * s;
    let p_h = bitcast<f32>(bitcast<u32>(u1 + v1) & 0xfffff000u);
    let p_l = v1 - fence_f32(p_h - u1);
    let z_h = 9.6191406250e-01f * p_h;
    let d_h = select(0.0f, 5.84960938e-01f, upper);
    let d_l = select(0.0f, 1.56322085e-06f, upper);
    let z_l = (-1.1736857402e-04f * p_h + p_l * 9.6179670095e-01f) + d_l;
    let k = f32(n);
    let l_h = bitcast<f32>(bitcast<u32>(((z_h + z_l) + d_h) + k) & 0xfffff000u);
    let l_l = z_l - fence_f32(fence_f32(fence_f32(l_h - k) - d_h) - z_h);
    // y log2(a) in parts
    let b_h = bitcast<f32>(bitcast<u32>(b) & 0xfffff000u);
    let e_l = fence_f32(fence_f32(b - b_h) * l_h + b * l_l);
    let e_h = b_h * l_h;
    let e = e_l + e_h;
    if (!(e < 129.0f)) {
        return inf_f32();
    }
    if (e < -152.0f) {
        return 0.0f;
    }
    // 2^(e_h + e_l)
    let whole = floor(e + 0.5f);
    let f_h = fence_f32(e_h - whole);
    let t = bitcast<f32>(bitcast<u32>(e_l + f_h) & 0xffff8000u);
    let u = t * 6.93145752e-01f;
    let v = (e_l - fence_f32(t - f_h)) * 6.9314718246e-01f + t * 1.42860654e-06f;
    let z = fence_f32(u + v);
    let w = v - fence_f32(z - u);
    let zz = z * z;
    let g4 = -1.6533901999e-06f + zz * 4.1381369442e-08f;
    let g3 = 6.6137559770e-05f + zz * g4;
    let g2 = -2.7777778450e-03f + zz * g3;
    let g1 = z - zz * (1.6666667163e-01f + zz * g2);
    let r = (z * g1) / (g1 - 2.0f) - (w + z * w);
    return scale_f32(1.0f - fence_f32(r - z), i32(whole));
}

// a^b with the special cases of C's pow (Rust's powf): a^0 = 1^b = 1, negative a for whole b only. 1 ulp.
fn powf_f32(a: f32, b: f32) -> f32 {
    let ia = bitcast<u32>(a) & 0x7fffffffu;
    let ib = bitcast<u32>(b) & 0x7fffffffu;
    let negative_a = (bitcast<u32>(a) >> 31u) != 0u;
    let negative_b = (bitcast<u32>(b) >> 31u) != 0u;
    if (ib == 0u || bitcast<u32>(a) == 0x3f800000u) {
        return 1.0f;
    }
    if (ia > 0x7f800000u || ib > 0x7f800000u) {
        return nan_f32();
    }
    // 0: b is not whole, 1: odd, 2: even
    var whole = 0u;
    if (ib >= 0x4b800000u) {
        whole = 2u;
    } else if (ib >= 0x3f800000u) {
        let point = 150u - (ib >> 23u);
        let m = (ib & 0x7fffffu) | 0x800000u;
        if (((m >> point) << point) == m) {
            whole = 2u - ((m >> point) & 1u);
        }
    }
    let sign = select(0u, 0x80000000u, negative_a && whole == 1u);
    if (ib == 0x7f800000u) {
        if (ia == 0x3f800000u) {
            return 1.0f;
        }
        return select(0.0f, inf_f32(), (ia > 0x3f800000u) != negative_b);
    }
    if (ia == 0u || ia == 0x7f800000u) {
        return bitcast<f32>(sign | select(0u, 0x7f800000u, (ia == 0u) == negative_b));
    }
    if (negative_a && whole == 0u) {
        return nan_f32();
    }
    var y = 1.0f;
    if (ia != 0x3f800000u) {
        y = pow_positive_f32(bitcast<f32>(ia), b);
    }
    return bitcast<f32>(sign | bitcast<u32>(y));
}
