// Two-float ("double-f32") arithmetic for devices without f64.
//
// A number is `vec2<f32>`, value x + y with |y| <= ulp(x)/2: about 48 significant bits, u = 2^-24 below.
// The sign of a zero is that of IEEE arithmetic except for -0 + -0 = 0.
//
// Compilers may contract, reassociate and cancel float arithmetic, which turns the error terms of the plain algorithms into
// 0. Every rounding that matters therefore passes through `opaque`, which xors the bits with `guard`: the entry point must
// set `guard` to a zero READ FROM A BUFFER before anything here is called. `self_test_df32` finds a device where this fails.
//
// Ranges. Denormals may be flushed, so the low word of a result below about 1e-26 in magnitude loses bits (absolute error
// 2^-126), and error bounds hold for operands, products and quotients in about 1e-26 ... 1e38. Below 2^-102 the parts of `two_prod`
// are flushed, and a product has fewer digits than one of f32. Overflow gives inf with y = 0;
// a domain error gives NaN in x. NaN is recognised by bits only. The bounds assume f32 `+ - *` rounded to nearest, and f32 `/`
// and `sqrt` within a few ulp, as WGSL demands; no other f32 builtin's accuracy is relied on.

// A zero that the compiler does not know; set by the entry point.
var<private> guard: u32;

// x, through a value the optimiser cannot see through.
fn opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ guard);
}

// a + b exactly: the rounded sum and its error (Knuth 1969).
fn two_sum(a: f32, b: f32) -> vec2<f32> {
    let s = opaque(a + b);
    let t = opaque(s - a);
    let u = opaque(s - t);
    let v = opaque(b - t);
    let w = opaque(a - u);
    return vec2<f32>(s, opaque(w + v));
}

// a + b exactly where |a| >= |b| or a = 0 (Dekker 1971).
fn quick_two_sum(a: f32, b: f32) -> vec2<f32> {
    let s = opaque(a + b);
    let t = opaque(s - a);
    return vec2<f32>(s, opaque(b - t));
}

// a b exactly: the rounded product and its error (Dekker 1971; the split is by mask, so it neither rounds nor overflows).
fn two_prod(a: f32, b: f32) -> vec2<f32> {
    let p = opaque(a * b);
    let ah = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
    let bh = bitcast<f32>(bitcast<u32>(b) & 0xfffff000u);
    let al = opaque(a - ah);
    let bl = opaque(b - bh);
    let e1 = opaque(ah * bh - p);
    let e2 = opaque(e1 + ah * bl);
    let e3 = opaque(e2 + al * bh);
    return vec2<f32>(p, opaque(e3 + al * bl));
}

// Whether x is NaN, by bits.
fn is_nan_f32_df32(x: f32) -> bool {
    return (min(bitcast<u32>(x), 0xfffffff0u) & 0x7fffffffu) > 0x7f800000u;
}

// Whether x is infinite or NaN, by bits.
fn is_special_f32_df32(x: f32) -> bool {
    return (min(bitcast<u32>(x), 0xfffffff0u) & 0x7f800000u) == 0x7f800000u;
}

// Whether a is NaN.
fn is_nan_df32(a: vec2<f32>) -> bool {
    return is_nan_f32_df32(a.x) || is_nan_f32_df32(a.y);
}

// Whether both words are finite, by bits; the smaller of two integers keeps a compiler that believes in no NaN from seeing it.
fn is_finite_df32(a: vec2<f32>) -> bool {
    return !(is_special_f32_df32(a.x) || is_special_f32_df32(a.y));
}

// Whether x is +inf or -inf, by bits.
fn is_inf_f32_df32(x: f32) -> bool {
    return (min(bitcast<u32>(x), 0xfffffff0u) & 0x7fffffffu) == 0x7f800000u;
}

// Whether the sign bit of x is set (also for -0).
fn is_negative_df32(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x80000000u) != 0u;
}

// NaN, made at run time.
fn nan_df32() -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(0x7fc00000u ^ guard), 0.0);
}

// Infinity, negative if so asked, made at run time.
fn inf_df32(negative: bool) -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(select(0x7f800000u, 0xff800000u, negative) ^ guard), 0.0);
}

// r, or the plain f32 result s alone where r overflowed or became NaN on the way.
fn settle_df32(s: f32, r: vec2<f32>) -> vec2<f32> {
    return select(r, vec2<f32>(s, 0.0), is_special_f32_df32(r.x));
}

// As `settle_df32`, and s alone also where r is 0 or denormal: the sign of a zero is kept. Adding 1 to the exponent field turns
// both 255 and 0 into fields whose upper seven bits are 0.
fn settle_product_df32(s: f32, r: vec2<f32>) -> vec2<f32> {
    return select(r, vec2<f32>(s, 0.0), ((bitcast<u32>(r.x) + 0x00800000u) & 0x7f000000u) == 0u);
}

// 2^n for -126 <= n <= 127, exactly.
fn pow2_df32(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

// The exponent of x, by bits; -127 for 0 and denormals, 128 for inf and NaN.
fn exponent_df32(x: f32) -> i32 {
    return i32((bitcast<u32>(x) >> 23u) & 0xffu) - 127;
}

// a 2^n for -252 <= n <= 254: exact short of overflow and underflow.
fn scale_df32(a: vec2<f32>, n: i32) -> vec2<f32> {
    let h = n >> 1u;
    let f = pow2_df32(h);
    let g = pow2_df32(n - h);
    let t = vec2<f32>(opaque(a.x * f), opaque(a.y * f));
    let r = vec2<f32>(opaque(t.x * g), opaque(t.y * g));
    return settle_product_df32(r.x, r);
}

// Conversions. x exactly.
fn from_f32_df32(x: f32) -> vec2<f32> {
    return vec2<f32>(x, 0.0);
}

// n exactly: both halves convert without rounding.
fn from_u32_df32(n: u32) -> vec2<f32> {
    return quick_two_sum(f32(n >> 16u) * 65536.0, f32(n & 0xffffu));
}

// n exactly.
fn from_i32_df32(n: i32) -> vec2<f32> {
    let a = from_u32_df32(select(u32(n), 0u - u32(n), n < 0));
    return select(a, -a, n < 0);
}

// The nearest f32.
fn to_f32_df32(a: vec2<f32>) -> f32 {
    return a.x;
}

// x + y with |x| >= |y| made a normal pair.
fn normalize_df32(x: f32, y: f32) -> vec2<f32> {
    return settle_df32(x, quick_two_sum(x, y));
}

// a + b; error <= 3u^2/(1-4u) = 1.1e-14 of the exact sum, cancellation included (Joldes, Muller, Popescu 2017, algorithm 6).
fn add_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let s = two_sum(a.x, b.x);
    let t = two_sum(a.y, b.y);
    let v = quick_two_sum(s.x, opaque(s.y + t.x));
    let z = quick_two_sum(v.x, opaque(t.y + v.y));
    return settle_df32(s.x, z);
}

// a - b; error as `add_df32`.
fn sub_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return add_df32(a, -b);
}

// a + b for an f32 b; error <= 2u^2 = 7.1e-15 of the exact sum (algorithm 4 of the same).
fn add_f32_df32(a: vec2<f32>, b: f32) -> vec2<f32> {
    let s = two_sum(a.x, b);
    return settle_df32(s.x, quick_two_sum(s.x, opaque(a.y + s.y)));
}

// a b; relative error <= 7u^2 = 2.5e-14 (algorithm 10 of the same).
fn mul_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let p = two_prod(a.x, b.x);
    let t = opaque(a.x * b.y + a.y * b.x);
    return settle_product_df32(p.x, quick_two_sum(p.x, opaque(p.y + t)));
}

// a b for an f32 b; relative error <= 3u^2 = 1.1e-14 (algorithm 8 of the same).
fn mul_f32_df32(a: vec2<f32>, b: f32) -> vec2<f32> {
    let p = two_prod(a.x, b);
    let t = opaque(a.y * b);
    return settle_product_df32(p.x, quick_two_sum(p.x, opaque(p.y + t)));
}

// a / b in f32 as the hardware does it (WGSL: within 2.5 ulp).
fn quotient_df32(a: f32, b: f32) -> f32 {
    return opaque(a / b);
}

// a / b: the reciprocal of the divisor's significand with one Newton step, an f32 quotient and its correction by the remainder;
// relative error <= 15u^2 = 5.4e-14 (algorithm 17 of the same), whatever the hardware's division within 100 ulp. b = 0 gives
// inf, or NaN for 0 / 0.
fn div_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    if (b.x == 0.0) {
        if (a.x == 0.0 || is_nan_f32_df32(a.x)) {
            return nan_df32();
        }
        return inf_df32(is_negative_df32(a.x) != is_negative_df32(b.x));
    }
    if (is_special_f32_df32(b.x)) {
        return vec2<f32>(a.x / b.x, 0.0);
    }
    let g = pow2_df32(max(-exponent_df32(b.x) - 1, -126));
    let n = vec2<f32>(opaque(a.x * g), opaque(a.y * g));
    let m = vec2<f32>(opaque(b.x * g), opaque(b.y * g));
    let i = quotient_df32(1.0, m.x);
    let w = two_prod(i, m.x);
    let h = opaque(i + i * (opaque(1.0 - w.x) - w.y));
    let q = opaque(n.x * h);
    let p = two_prod(q, m.x);
    let d = opaque(n.x - p.x);
    let e = opaque(n.y - p.y);
    let r = opaque(d + opaque(e - q * m.y));
    return settle_product_df32(q, quick_two_sum(q, opaque(r * h)));
}

// 1 / a; error as `div_df32`.
fn recip_df32(a: vec2<f32>) -> vec2<f32> {
    return div_df32(vec2<f32>(1.0, 0.0), a);
}

// -a, exactly.
fn neg_df32(a: vec2<f32>) -> vec2<f32> {
    return -a;
}

// |a|, exactly.
fn abs_df32(a: vec2<f32>) -> vec2<f32> {
    return select(a, -a, is_negative_df32(a.x));
}

// -1, 0 or 1; NaN for NaN.
fn sign_df32(a: vec2<f32>) -> vec2<f32> {
    if (is_nan_df32(a) || a.x == 0.0) {
        return a;
    }
    return vec2<f32>(select(1.0, -1.0, is_negative_df32(a.x)), 0.0);
}

// Square root: f32 root of the significand, a Newton step with the exact remainder, and a second-order correction by the next
// remainder; relative error <= 5e-14. NaN for a < 0.
fn sqrt_df32(a: vec2<f32>) -> vec2<f32> {
    if (a.x == 0.0 || is_nan_f32_df32(a.x)) {
        return a;
    }
    if (is_negative_df32(a.x)) {
        return nan_df32();
    }
    if (is_special_f32_df32(a.x)) {
        return a;
    }
    let h = exponent_df32(a.x) >> 1u;
    let m = scale_df32(a, -2 * h);
    let z = opaque(sqrt(m.x));
    let s = two_prod(z, z);
    let y = opaque(z + quotient_df32(0.5 * (opaque(m.x - s.x) - s.y), z));
    let d = sub_df32(m, two_prod(y, y));
    let r = quotient_df32(d.x, m.x);
    return scale_df32(quick_two_sum(y, opaque(y * (0.5 * r + 0.375 * r * r))), h);
}

// a < b as a bool; false if either is NaN. Normal pairs are ordered as words.
fn less_df32(a: vec2<f32>, b: vec2<f32>) -> bool {
    let less = a.x < b.x || (a.x == b.x && a.y < b.y);
    return less && !is_nan_df32(a) && !is_nan_df32(b);
}

// a = b as a bool; false if either is NaN.
fn equal_df32(a: vec2<f32>, b: vec2<f32>) -> bool {
    let same = a.x == b.x && a.y == b.y;
    return same && !is_nan_df32(a) && !is_nan_df32(b);
}

// 1 for true, 0 for false.
fn truth_df32(c: bool) -> vec2<f32> {
    return vec2<f32>(select(0.0, 1.0, c), 0.0);
}

// 1 if a = b, else 0.
fn eq_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return truth_df32(equal_df32(a, b));
}

// 1 if a != b or either is NaN, else 0.
fn ne_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return truth_df32(!equal_df32(a, b));
}

// 1 if a < b, else 0.
fn lt_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return truth_df32(less_df32(a, b));
}

// 1 if a <= b, else 0.
fn le_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return truth_df32(less_df32(a, b) || equal_df32(a, b));
}

// 1 if a > b, else 0.
fn gt_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return truth_df32(less_df32(b, a));
}

// 1 if a >= b, else 0.
fn ge_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return truth_df32(less_df32(b, a) || equal_df32(a, b));
}

// The smaller; NaN if either is.
fn min_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    if (is_nan_df32(a) || is_nan_df32(b)) {
        return nan_df32();
    }
    return select(a, b, less_df32(b, a));
}

// The larger; NaN if either is.
fn max_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    if (is_nan_df32(a) || is_nan_df32(b)) {
        return nan_df32();
    }
    return select(a, b, less_df32(a, b));
}

// max(lo, min(x, hi)).
fn clamp_df32(x: vec2<f32>, lo: vec2<f32>, hi: vec2<f32>) -> vec2<f32> {
    return max_df32(lo, min_df32(x, hi));
}

// a if c is not 0 (NaN included), else b.
fn select_df32(c: vec2<f32>, a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return select(a, b, (bitcast<u32>(c.x) & 0x7fffffffu) == 0u);
}

// |a| with the sign of b.
fn copysign_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return select(a, -a, is_negative_df32(a.x) != is_negative_df32(b.x));
}

// Largest integer <= a, exactly.
fn floor_df32(a: vec2<f32>) -> vec2<f32> {
    if (is_special_f32_df32(a.x) || a.x == 0.0) {
        return a;
    }
    let x = floor(a.x);
    return normalize_df32(x, select(0.0, floor(a.y), x == a.x));
}

// Smallest integer >= a, exactly.
fn ceil_df32(a: vec2<f32>) -> vec2<f32> {
    return -floor_df32(-a);
}

// Integer part, exactly.
fn trunc_df32(a: vec2<f32>) -> vec2<f32> {
    let r = floor_df32(abs_df32(a));
    return select(r, -r, is_negative_df32(a.x));
}

// Nearest integer, halves away from zero, exactly: the fraction left by `floor` is a part of the digits.
fn round_df32(a: vec2<f32>) -> vec2<f32> {
    let m = abs_df32(a);
    let f = floor_df32(m);
    let d = sub_df32(m, f);
    var r = f;
    if (!less_df32(d, vec2<f32>(0.5, 0.0)) && is_finite_df32(a)) {
        r = add_f32_df32(f, 1.0);
    }
    return select(r, -r, is_negative_df32(a.x));
}

// r - q s for a remainder r of four f32: eight terms, summed without loss by passes of `two_sum` (distillation).
fn rem_step_df32(r: vec4<f32>, q: f32, s: vec2<f32>) -> vec4<f32> {
    let p = two_prod(-q, s.x);
    let w = two_prod(-q, s.y);
    var v = array<f32, 8>(r.x, p.x, r.y, p.y, w.x, r.z, w.y, r.w);
    for (var k = 0u; k < 6u; k++) {
        for (var i = 7u; i > 0u; i--) {
            let t = two_sum(v[i - 1u], v[i]);
            v[i - 1u] = t.x;
            v[i] = t.y;
        }
    }
    return vec4<f32>(v[0], v[1], v[2], v[3]);
}

// a - b trunc(a / b), the sign of a: long division, 17 bits of quotient a step, with a remainder of four f32; exact where
// the result is a pair and a and b have no gap of more than 40 bits between their words. NaN for b = 0 or infinite a.
fn rem_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    if (is_special_f32_df32(a.x) || is_nan_df32(b) || b.x == 0.0) {
        return nan_df32();
    }
    let d = abs_df32(b);
    var r = vec4<f32>(abs_df32(a), 0.0, 0.0);
    for (var i = 0u; i < 24u; i++) {
        if (less_df32(abs_df32(r.xy), d)) {
            break;
        }
        let e = max(0, exponent_df32(r.x) - exponent_df32(d.x) - 16);
        let s = scale_df32(d, e);
        let m = max(1.0, floor(abs(r.x) / s.x));
        r = rem_step_df32(r, select(m, -m, r.x < 0.0), s);
    }
    if (r.x < 0.0) {
        r = rem_step_df32(r, -1.0, d);
    }
    let t = quick_two_sum(r.x, opaque(r.y + r.z));
    return select(t, -t, is_negative_df32(a.x));
}

// a^n by repeated squaring, the order of `Op::evaluate`; relative error <= 2.5e-14 |n|. A negative n gives 1 / a^|n|.
fn powi_df32(a: vec2<f32>, n: i32) -> vec2<f32> {
    var k = select(u32(n), 0u - u32(n), n < 0);
    var base = a;
    var r = vec2<f32>(1.0, 0.0);
    for (var i = 0u; i < 32u; i++) {
        if ((k & 1u) == 1u) {
            r = mul_df32(r, base);
        }
        k = k >> 1u;
        if (k == 0u) {
            break;
        }
        base = mul_df32(base, base);
    }
    if (n < 0) {
        return recip_df32(r);
    }
    return r;
}

// a + b where |a| >= 2 |b|, so nothing cancels; relative error <= 3u^2.
fn sum_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let s = quick_two_sum(a.x, b.x);
    let t = opaque(a.y + b.y);
    return quick_two_sum(s.x, opaque(s.y + t));
}

// One step of Horner's rule, c + z q with |c| >= 2 |z q|.
fn step_df32(c: vec2<f32>, z: vec2<f32>, q: vec2<f32>) -> vec2<f32> {
    return sum_df32(c, mul_df32(z, q));
}

// ln 2 in three parts of 16, 16 and 24 bits: an exponent times either of the first two is exact.
const DF32_LN2_1: f32 = 0.69314575f;
const DF32_LN2_2: f32 = 1.4286197e-6f;
const DF32_LN2_3: f32 = -1.290532e-11f;

// log2(e), to choose the exponent.
const DF32_LOG2_E: f32 = 1.442695f;

// ln 2 as a pair.
const DF32_LN2: vec2<f32> = vec2<f32>(0.6931472f, -1.9046542e-9f);

// 1/n! of the series of exp.
const DF32_EXP_7: vec2<f32> = vec2<f32>(0.0001984127f, -2.7255969e-12f);
const DF32_EXP_6: vec2<f32> = vec2<f32>(0.0013888889f, -3.3631094e-11f);
const DF32_EXP_5: vec2<f32> = vec2<f32>(0.008333334f, -4.346172e-10f);
const DF32_EXP_4: vec2<f32> = vec2<f32>(0.041666668f, -1.2417635e-9f);
const DF32_EXP_3: vec2<f32> = vec2<f32>(0.16666667f, -4.967054e-9f);

// e^r - 1 for |r| <= 0.35: Taylor to r^13, from r^8 on in f32; relative error about 1e-14.
fn exp_m1_series_df32(r: vec2<f32>) -> vec2<f32> {
    let x = r.x;
    var p = 1.6059044e-10f;
    p = p * x + 2.0876756e-9f;
    p = p * x + 2.5052108e-8f;
    p = p * x + 2.755732e-7f;
    p = p * x + 2.7557319e-6f;
    p = p * x + 2.4801588e-5f;
    var q = sum_df32(DF32_EXP_7, vec2<f32>(x * p, 0.0));
    q = step_df32(DF32_EXP_6, r, q);
    q = step_df32(DF32_EXP_5, r, q);
    q = step_df32(DF32_EXP_4, r, q);
    q = step_df32(DF32_EXP_3, r, q);
    q = step_df32(vec2<f32>(0.5, 0.0), r, q);
    return sum_df32(r, mul_df32(mul_df32(r, r), q));
}

// The exponent k and remainder r of a = k ln 2 + r, |r| <= 0.35, for |a| <= 160: Cody and Waite, (r.x, r.y, k).
fn exp_reduce_df32(a: vec2<f32>) -> vec3<f32> {
    let k = floor(a.x * DF32_LOG2_E + 0.5);
    var r = add_f32_df32(a, -opaque(k * DF32_LN2_1));
    r = add_f32_df32(r, -opaque(k * DF32_LN2_2));
    r = add_f32_df32(r, -opaque(k * DF32_LN2_3));
    return vec3<f32>(r, k);
}

// e^a 2^n for |n| <= 2; error as `exp_df32`.
fn exp_scaled_df32(a: vec2<f32>, n: i32) -> vec2<f32> {
    if (is_nan_df32(a)) {
        return a;
    }
    if (a.x > 150.0) {
        return inf_df32(false);
    }
    if (a.x < -150.0) {
        return vec2<f32>(0.0, 0.0);
    }
    let r = exp_reduce_df32(a);
    let e = sum_df32(vec2<f32>(1.0, 0.0), exp_m1_series_df32(r.xy));
    return scale_df32(e, i32(r.z) + n);
}

// e^a; relative error <= 2e-14 + 2^-48 |a|.
fn exp_df32(a: vec2<f32>) -> vec2<f32> {
    return exp_scaled_df32(a, 0);
}

// 2^a, exact for whole a; relative error <= 2e-14.
fn exp2_df32(a: vec2<f32>) -> vec2<f32> {
    if (is_nan_df32(a)) {
        return a;
    }
    if (a.x > 200.0) {
        return inf_df32(false);
    }
    if (a.x < -200.0) {
        return vec2<f32>(0.0, 0.0);
    }
    let k = floor(a.x + 0.5);
    let r = mul_df32(add_f32_df32(a, -k), DF32_LN2);
    let e = sum_df32(vec2<f32>(1.0, 0.0), exp_m1_series_df32(r));
    return scale_df32(e, i32(k));
}

// e^a - 1 = 2^k (e^r - 1) + (2^k - 1); relative error <= 4e-14, near 0 too.
fn exp_m1_df32(a: vec2<f32>) -> vec2<f32> {
    if (is_nan_df32(a)) {
        return a;
    }
    if (a.x == 0.0) {
        return a;
    }
    if (a.x > 88.0) {
        return exp_scaled_df32(a, 0);
    }
    if (a.x < -40.0) {
        return vec2<f32>(-1.0, 0.0);
    }
    let r = exp_reduce_df32(a);
    let e = exp_m1_series_df32(r.xy);
    if (r.z == 0.0) {
        return e;
    }
    let k = i32(r.z);
    return add_df32(two_sum(pow2_df32(k), -1.0), scale_df32(e, k));
}

// 1/(2n+1) of the series of atanh and, with alternating signs, of atan.
const DF32_THIRD: vec2<f32> = vec2<f32>(0.33333334f, -9.934108e-9f);
const DF32_FIFTH: vec2<f32> = vec2<f32>(0.2f, -2.9802323e-9f);
const DF32_SEVENTH: vec2<f32> = vec2<f32>(0.14285715f, -6.386212e-9f);
const DF32_NINTH: vec2<f32> = vec2<f32>(0.11111111f, -8.278423e-10f);

// atanh(s) - s for |s| <= 0.18: Taylor to s^23, from s^11 on in f32; relative error about 5e-14.
fn atanh_tail_df32(s: vec2<f32>) -> vec2<f32> {
    let z = mul_df32(s, s);
    let x = z.x;
    var p = 0.04347826f;
    p = p * x + 0.04761905f;
    p = p * x + 0.05263158f;
    p = p * x + 0.05882353f;
    p = p * x + 0.06666667f;
    p = p * x + 0.07692308f;
    p = p * x + 0.09090909f;
    var q = sum_df32(DF32_NINTH, vec2<f32>(x * p, 0.0));
    q = step_df32(DF32_SEVENTH, z, q);
    q = step_df32(DF32_FIFTH, z, q);
    q = step_df32(DF32_THIRD, z, q);
    return mul_df32(s, mul_df32(z, q));
}

// atanh(s) for |s| <= 0.18; relative error <= 1e-14 and that of s.
fn atanh_series_df32(s: vec2<f32>) -> vec2<f32> {
    return sum_df32(s, atanh_tail_df32(s));
}

// For finite a > 0: s and k with ln a = k ln 2 + 2 atanh s, |s| <= 0.172; (s.x, s.y, k).
fn log_reduce_df32(a: vec2<f32>) -> vec3<f32> {
    let e = exponent_df32(a.x);
    let big = (bitcast<u32>(a.x) & 0x7fffffu) > 0x3504f3u;
    let k = select(e, e + 1, big);
    let m = scale_df32(a, -k);
    let s = div_df32(add_f32_df32(m, -1.0), add_f32_df32(m, 1.0));
    return vec3<f32>(s, f32(k));
}

// Where a logarithm is not finite (a <= 0, infinite, NaN): its value in x; 0 elsewhere.
fn log_special_df32(a: vec2<f32>) -> vec2<f32> {
    if (is_nan_df32(a)) {
        return a;
    }
    if ((bitcast<u32>(a.x) & 0x7fffffffu) < 0x00800000u) {
        return inf_df32(true);
    }
    if (is_negative_df32(a.x)) {
        return nan_df32();
    }
    return select(vec2<f32>(0.0, 0.0), a, is_special_f32_df32(a.x));
}

// Natural logarithm by the atanh series; relative error <= 1e-13. -inf for 0 and denormals, NaN for a < 0.
fn ln_df32(a: vec2<f32>) -> vec2<f32> {
    let special = log_special_df32(a);
    if (is_special_f32_df32(special.x)) {
        return special;
    }
    let r = log_reduce_df32(a);
    let t = 2.0 * atanh_series_df32(r.xy);
    if (r.z == 0.0) {
        return t;
    }
    let h = two_sum(r.z * DF32_LN2_1, r.z * DF32_LN2_2);
    return add_f32_df32(add_df32(h, t), r.z * DF32_LN2_3);
}

// ln(1 + a), accurate near 0; relative error <= 1e-13. -inf for a = -1, NaN below.
fn ln_1p_df32(a: vec2<f32>) -> vec2<f32> {
    if (a.x == 0.0) {
        return a;
    }
    if (a.x > -0.29 && a.x < 0.41) {
        return 2.0 * atanh_series_df32(div_df32(a, add_f32_df32(a, 2.0)));
    }
    return ln_df32(add_f32_df32(a, 1.0));
}

// 2 / ln 2, 2 / ln 10 and log10(2) (the last in three parts, as ln 2).
const DF32_TWO_OVER_LN2: vec2<f32> = vec2<f32>(2.88539f, 3.851926e-8f);
const DF32_TWO_OVER_LN10: vec2<f32> = vec2<f32>(0.868589f, -2.02061e-8f);
const DF32_LOG10_2_1: f32 = 0.30103302f;
const DF32_LOG10_2_2: f32 = -3.0243536e-6f;
const DF32_LOG10_2_3: f32 = -1.9043129e-12f;

// Logarithm to base 2, exact for powers of 2; relative error <= 1e-13.
fn log2_df32(a: vec2<f32>) -> vec2<f32> {
    let special = log_special_df32(a);
    if (is_special_f32_df32(special.x)) {
        return special;
    }
    let r = log_reduce_df32(a);
    return add_f32_df32(mul_df32(atanh_series_df32(r.xy), DF32_TWO_OVER_LN2), r.z);
}

// Logarithm to base 10; relative error <= 1e-13.
fn log10_df32(a: vec2<f32>) -> vec2<f32> {
    let special = log_special_df32(a);
    if (is_special_f32_df32(special.x)) {
        return special;
    }
    let r = log_reduce_df32(a);
    let t = mul_df32(atanh_series_df32(r.xy), DF32_TWO_OVER_LN10);
    if (r.z == 0.0) {
        return t;
    }
    let h = two_sum(r.z * DF32_LOG10_2_1, r.z * DF32_LOG10_2_2);
    return add_f32_df32(add_df32(h, t), r.z * DF32_LOG10_2_3);
}

// pi/2 in four f32 (96 bits), and 2/pi.
const DF32_PI_2_1: f32 = 1.5707964f;
const DF32_PI_2_2: f32 = -4.371139e-8f;
const DF32_PI_2_3: f32 = -1.7151245e-15f;
const DF32_PI_2_4: f32 = 1.0562999e-23f;
const DF32_TWO_OVER_PI: vec2<f32> = vec2<f32>(0.63661975f, 2.5682553e-8f);

// a - k pi/2 for a whole k of at most 24 bits with |a - k pi/2| <= |a|/2: three exact products and a rounded one. The first
// difference is exact (Sterbenz), the next sums keep their errors, and only what is left of a is rounded.
fn trig_step_df32(a: vec2<f32>, k: f32) -> vec2<f32> {
    let p = two_prod(-k, DF32_PI_2_1);
    let q = two_prod(-k, DF32_PI_2_2);
    let o = two_prod(-k, DF32_PI_2_3);
    let t = two_sum(a.y, p.y);
    let u = two_sum(t.x, q.x);
    let v = two_sum(opaque(a.x + p.x), u.x);
    var r = add_df32(v, two_sum(t.y, u.y));
    r = add_df32(r, two_sum(q.y, o.x));
    r = add_f32_df32(r, o.y);
    return add_f32_df32(r, -opaque(k * DF32_PI_2_4));
}

// The remainder r of a by pi/2, |r| <= 0.786, and the quadrant 0 ... 3: (r.x, r.y, quadrant). Cody and Waite; beyond 2^24
// quadrants in further steps, which lose 2^-48 of the remainder left by the step before.
fn trig_reduce_df32(a: vec2<f32>) -> vec3<f32> {
    var r = a;
    var quadrant = 0.0;
    for (var i = 0u; i < 8u; i++) {
        if (abs(r.x) <= 0.786) {
            break;
        }
        let t = two_prod(r.x, DF32_TWO_OVER_PI.x);
        let n = floor(t.x + 0.5);
        let k = n + floor(opaque(t.x - n) + (t.y + r.x * DF32_TWO_OVER_PI.y + r.y * DF32_TWO_OVER_PI.x) + 0.5);
        r = trig_step_df32(r, k);
        quadrant += k - 4.0 * floor(k * 0.25);
    }
    quadrant -= 4.0 * floor(quadrant * 0.25);
    return vec3<f32>(r, quadrant);
}

// 1/n! of the series of sin and cos, signed.
const DF32_SIN_3: vec2<f32> = vec2<f32>(-0.16666667f, 4.967054e-9f);
const DF32_SIN_5: vec2<f32> = vec2<f32>(0.008333334f, -4.346172e-10f);
const DF32_SIN_7: vec2<f32> = vec2<f32>(-0.0001984127f, 2.7255969e-12f);
const DF32_SIN_9: vec2<f32> = vec2<f32>(2.7557319e-6f, 3.7935712e-14f);
const DF32_COS_4: vec2<f32> = vec2<f32>(0.041666668f, -1.2417635e-9f);
const DF32_COS_6: vec2<f32> = vec2<f32>(-0.0013888889f, 3.3631094e-11f);
const DF32_COS_8: vec2<f32> = vec2<f32>(2.4801588e-5f, -3.406996e-13f);

// sin r for |r| <= 0.79: Taylor to r^17, from r^11 on in f32; relative error about 2e-14.
fn sin_series_df32(r: vec2<f32>) -> vec2<f32> {
    let z = mul_df32(r, r);
    let x = z.x;
    var p = 2.8114574e-15f;
    p = p * x - 7.6471636e-13f;
    p = p * x + 1.6059044e-10f;
    p = p * x - 2.5052108e-8f;
    var q = sum_df32(DF32_SIN_9, vec2<f32>(x * p, 0.0));
    q = step_df32(DF32_SIN_7, z, q);
    q = step_df32(DF32_SIN_5, z, q);
    q = step_df32(DF32_SIN_3, z, q);
    return sum_df32(r, mul_df32(r, mul_df32(z, q)));
}

// cos r for |r| <= 0.79: Taylor to r^18, from r^10 on in f32; relative error about 2e-14.
fn cos_series_df32(r: vec2<f32>) -> vec2<f32> {
    let z = mul_df32(r, r);
    let x = z.x;
    var p = -1.5619207e-16f;
    p = p * x + 4.7794773e-14f;
    p = p * x - 1.1470745e-11f;
    p = p * x + 2.0876756e-9f;
    p = p * x - 2.755732e-7f;
    var q = sum_df32(DF32_COS_8, vec2<f32>(x * p, 0.0));
    q = step_df32(DF32_COS_6, z, q);
    q = step_df32(DF32_COS_4, z, q);
    q = step_df32(vec2<f32>(-0.5, 0.0), z, q);
    return sum_df32(vec2<f32>(1.0, 0.0), mul_df32(z, q));
}

// sin of the angle that `trig_reduce_df32` gave, `turn` quadrants further.
fn trig_value_df32(r: vec3<f32>, turn: u32) -> vec2<f32> {
    let quadrant = u32(r.z) + turn;
    var v = r.xy;
    if ((quadrant & 1u) == 0u) {
        v = sin_series_df32(r.xy);
    } else {
        v = cos_series_df32(r.xy);
    }
    return select(v, -v, (quadrant & 2u) == 2u);
}

// Sine; relative error <= 2e-14 for |a| <= 1e7 (near a zero, where the remainder is below 1e-6, plus an absolute 1e-30 |a|);
// beyond 2.6e7 an absolute error of about 2^-70 |a|. NaN for infinite a.
fn sin_df32(a: vec2<f32>) -> vec2<f32> {
    if (a.x == 0.0) {
        return a;
    }
    if (is_special_f32_df32(a.x)) {
        return nan_df32();
    }
    return trig_value_df32(trig_reduce_df32(a), 0u);
}

// Cosine; error as `sin_df32`.
fn cos_df32(a: vec2<f32>) -> vec2<f32> {
    if (is_special_f32_df32(a.x)) {
        return nan_df32();
    }
    return trig_value_df32(trig_reduce_df32(a), 1u);
}

// Tangent; relative error <= 1e-13 where `sin_df32` holds.
fn tan_df32(a: vec2<f32>) -> vec2<f32> {
    if (a.x == 0.0) {
        return a;
    }
    if (is_special_f32_df32(a.x)) {
        return nan_df32();
    }
    let r = trig_reduce_df32(a);
    let s = sin_series_df32(r.xy);
    let c = cos_series_df32(r.xy);
    if (r.z == 0.0 || r.z == 2.0) {
        return div_df32(s, c);
    }
    return -div_df32(c, s);
}

// atan(t) for |t| <= 0.21: Taylor to t^23, from t^11 on in f32; relative error about 2e-14.
fn atan_series_df32(t: vec2<f32>) -> vec2<f32> {
    let z = mul_df32(t, t);
    let x = z.x;
    var p = -0.04347826f;
    p = p * x + 0.04761905f;
    p = p * x - 0.05263158f;
    p = p * x + 0.05882353f;
    p = p * x - 0.06666667f;
    p = p * x + 0.07692308f;
    p = p * x - 0.09090909f;
    var q = sum_df32(DF32_NINTH, vec2<f32>(x * p, 0.0));
    q = step_df32(-DF32_SEVENTH, z, q);
    q = step_df32(DF32_FIFTH, z, q);
    q = step_df32(-DF32_THIRD, z, q);
    return sum_df32(t, mul_df32(t, mul_df32(z, q)));
}

// pi, pi/2, pi/4 and atan(53/128).
const DF32_PI: vec2<f32> = vec2<f32>(3.1415927f, -8.742278e-8f);
const DF32_HALF_PI: vec2<f32> = vec2<f32>(1.5707964f, -4.371139e-8f);
const DF32_QUARTER_PI: vec2<f32> = vec2<f32>(0.7853982f, -2.1855694e-8f);
const DF32_ATAN_53_128: vec2<f32> = vec2<f32>(0.39257014f, -2.9657714e-9f);

// atan(y / x) for 0 <= y <= x, x > 0 and not near the ends of the range: the angle from the nearest of 0, atan(53/128) and
// pi/4, then the series; relative error <= 7e-14.
fn atan_octant_df32(y: vec2<f32>, x: vec2<f32>) -> vec2<f32> {
    let q = y.x / x.x;
    if (q < 0.2) {
        return atan_series_df32(div_df32(y, x));
    }
    var c = 0.4140625;
    var angle = DF32_ATAN_53_128;
    if (q > 0.665) {
        c = 1.0;
        angle = DF32_QUARTER_PI;
    }
    let s = sub_df32(y, mul_f32_df32(x, c));
    let t = div_df32(s, add_df32(x, mul_f32_df32(y, c)));
    return add_df32(angle, atan_series_df32(t));
}

// Angle of the point (x, y), in [-pi, pi], signed zeros and infinities as f64::atan2; relative error <= 1e-13.
fn atan2_df32(y: vec2<f32>, x: vec2<f32>) -> vec2<f32> {
    if (is_nan_df32(y) || is_nan_df32(x)) {
        return nan_df32();
    }
    var v = abs_df32(y);
    var u = abs_df32(x);
    if (is_inf_f32_df32(y.x) || is_inf_f32_df32(x.x)) {
        v = truth_df32(is_inf_f32_df32(y.x));
        u = truth_df32(is_inf_f32_df32(x.x));
    }
    let swap = less_df32(u, v);
    let large = select(u, v, swap);
    let little = select(v, u, swap);
    var angle = vec2<f32>(0.0, 0.0);
    if (large.x != 0.0) {
        let e = max(-exponent_df32(large.x), -126);
        angle = atan_octant_df32(scale_df32(little, e), scale_df32(large, e));
    }
    if (swap) {
        angle = sub_df32(DF32_HALF_PI, angle);
    }
    if (is_negative_df32(x.x)) {
        angle = sub_df32(DF32_PI, angle);
    }
    return select(angle, -angle, is_negative_df32(y.x));
}

// Inverse tangent; relative error <= 1e-13.
fn atan_df32(a: vec2<f32>) -> vec2<f32> {
    return atan2_df32(a, vec2<f32>(1.0, 0.0));
}

// sqrt(1 - a^2), accurate near |a| = 1; NaN beyond.
fn cofactor_df32(a: vec2<f32>) -> vec2<f32> {
    return sqrt_df32(mul_df32(add_f32_df32(-a, 1.0), add_f32_df32(a, 1.0)));
}

// Inverse sine, atan2(a, sqrt(1 - a^2)); relative error <= 1e-13. NaN for |a| > 1.
fn asin_df32(a: vec2<f32>) -> vec2<f32> {
    return atan2_df32(a, cofactor_df32(a));
}

// Inverse cosine, atan2(sqrt(1 - a^2), a); relative error <= 1e-13. NaN for |a| > 1.
fn acos_df32(a: vec2<f32>) -> vec2<f32> {
    return atan2_df32(cofactor_df32(a), a);
}

// Hyperbolic sine: (e + e/(e + 1))/2 with e = exp(|a|) - 1, and from 1 on t - 1/(4t) with t = exp(|a|)/2; relative error
// <= 1e-13 + 2^-48 |a|.
fn sinh_df32(a: vec2<f32>) -> vec2<f32> {
    let m = abs_df32(a);
    var r = m;
    if (m.x < 1.0) {
        let e = exp_m1_df32(m);
        r = 0.5 * add_df32(e, div_df32(e, add_f32_df32(e, 1.0)));
    } else {
        let t = exp_scaled_df32(m, -1);
        r = sub_df32(t, div_df32(vec2<f32>(0.25, 0.0), t));
    }
    return select(r, -r, is_negative_df32(a.x));
}

// Hyperbolic cosine, t + 1/(4t) with t = exp(|a|)/2; relative error <= 1e-13 + 2^-48 |a|.
fn cosh_df32(a: vec2<f32>) -> vec2<f32> {
    let t = exp_scaled_df32(abs_df32(a), -1);
    return add_df32(t, div_df32(vec2<f32>(0.25, 0.0), t));
}

// Hyperbolic tangent, -e/(e + 2) with e = exp(-2|a|) - 1; relative error <= 1e-13.
fn tanh_df32(a: vec2<f32>) -> vec2<f32> {
    let e = exp_m1_df32(-2.0 * abs_df32(a));
    let r = abs_df32(div_df32(e, add_f32_df32(e, 2.0)));
    return select(r, -r, is_negative_df32(a.x));
}

// Inverse hyperbolic sine, ln_1p(m + m^2/(1 + sqrt(1 + m^2))) with m = |a|, and ln(m) + ln 2 for large m; relative error
// <= 1e-13.
fn asinh_df32(a: vec2<f32>) -> vec2<f32> {
    let m = abs_df32(a);
    var r = m;
    if (m.x < 67108864.0) {
        let s = mul_df32(m, m);
        let d = add_f32_df32(sqrt_df32(add_f32_df32(s, 1.0)), 1.0);
        r = ln_1p_df32(add_df32(m, div_df32(s, d)));
    } else {
        r = add_df32(ln_df32(m), DF32_LN2);
    }
    return select(r, -r, is_negative_df32(a.x));
}

// Inverse hyperbolic cosine, ln_1p(t + sqrt(t (t + 2))) with t = a - 1, and ln(a) + ln 2 for large a; relative error
// <= 1e-13. NaN for a < 1.
fn acosh_df32(a: vec2<f32>) -> vec2<f32> {
    if (a.x > 67108864.0) {
        return add_df32(ln_df32(a), DF32_LN2);
    }
    let t = add_f32_df32(a, -1.0);
    if (is_negative_df32(t.x) && t.x != 0.0) {
        return nan_df32();
    }
    return ln_1p_df32(add_df32(t, sqrt_df32(mul_df32(t, add_f32_df32(t, 2.0)))));
}

// Inverse hyperbolic tangent: the series near 0, else ln((1 + a)/(1 - a))/2; relative error <= 1e-13. NaN for |a| > 1.
fn atanh_df32(a: vec2<f32>) -> vec2<f32> {
    if (a.x == 0.0) {
        return a;
    }
    if (abs(a.x) < 0.17) {
        return atanh_series_df32(a);
    }
    return 0.5 * ln_df32(div_df32(add_f32_df32(a, 1.0), add_f32_df32(-a, 1.0)));
}

// 1/(1 + e^-a) without overflow; relative error <= 1e-13 + 2^-48 |a|.
fn sigmoid_df32(a: vec2<f32>) -> vec2<f32> {
    let e = exp_df32(-abs_df32(a));
    let n = select(vec2<f32>(1.0, 0.0), e, is_negative_df32(a.x));
    return div_df32(n, add_f32_df32(e, 1.0));
}

// ln(1 + e^a) without overflow; relative error <= 1e-13 + 2^-48 |a|.
fn softplus_df32(a: vec2<f32>) -> vec2<f32> {
    let r = ln_1p_df32(exp_df32(-abs_df32(a)));
    return add_df32(select(a, vec2<f32>(0.0, 0.0), is_negative_df32(a.x)), r);
}

// sqrt(a^2 + b^2) without overflow or underflow on the way; relative error <= 5e-14.
fn hypot_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let e = max(exponent_df32(a.x), exponent_df32(b.x));
    if (e > 127) {
        if (is_inf_f32_df32(a.x) || is_inf_f32_df32(b.x)) {
            return inf_df32(false);
        }
        return nan_df32();
    }
    let k = max(e, -126);
    let u = scale_df32(a, -k);
    let v = scale_df32(b, -k);
    return scale_df32(sqrt_df32(add_df32(mul_df32(u, u), mul_df32(v, v))), k);
}

// Cube root: of the significand, a bit-level start, two Newton steps in f32, one with the exact remainder, and a second-order
// correction by the next remainder; relative error <= 5e-14.
fn cbrt_df32(a: vec2<f32>) -> vec2<f32> {
    if (a.x == 0.0 || is_special_f32_df32(a.x)) {
        return a;
    }
    let h = (exponent_df32(a.x) + 129) / 3 - 43;
    let m = scale_df32(abs_df32(a), -3 * h);
    var y = bitcast<f32>(bitcast<u32>(m.x) / 3u + 709958130u);
    for (var i = 0u; i < 2u; i++) {
        y = opaque((2.0 * y + m.x / (y * y)) * 0.33333334);
    }
    let three = 3.0 * m.x;
    let c = sub_df32(m, mul_f32_df32(two_prod(y, y), y));
    y = opaque(y + y * quotient_df32(c.x, three));
    let d = sub_df32(m, mul_f32_df32(two_prod(y, y), y));
    let r = quotient_df32(d.x, three);
    let s = scale_df32(quick_two_sum(y, opaque(y * (r + 2.0 * r * r))), h);
    return select(s, -s, is_negative_df32(a.x));
}

// Whether a is finite and whole.
fn is_whole_df32(a: vec2<f32>) -> bool {
    return is_finite_df32(a) && floor(a.x) == a.x && floor(a.y) == a.y;
}

// Whether a whole a is odd: a word of 2^24 or more is even.
fn is_odd_df32(a: vec2<f32>) -> bool {
    let x = 0.5 * a.x;
    let y = 0.5 * a.y;
    return (floor(x) != x) != (floor(y) != y);
}

// ln a for a normal a > 0 as three f32, relative error about 2^-53: as `ln_df32`, with the quotient s carried to three words
// by its exact remainder, and the series, at most 0.01 s beyond its first term, in two.
fn ln_extended_df32(a: vec2<f32>) -> vec3<f32> {
    let e = exponent_df32(a.x);
    let big = (bitcast<u32>(a.x) & 0x7fffffu) > 0x3504f3u;
    let n = select(e, e + 1, big);
    let m = scale_df32(a, -n);
    let numerator = two_sum(opaque(m.x - 1.0), m.y);
    let g = two_sum(m.x, 1.0);
    let h = two_sum(g.y, m.y);
    let s = div_df32(numerator, vec2<f32>(g.x, h.x));
    var d = sub_df32(numerator, two_prod(s.x, g.x));
    d = sub_df32(d, two_prod(s.y, g.x));
    d = sub_df32(d, two_prod(s.x, h.x));
    let left = d.x - s.y * h.x - s.x * h.y;
    let t = atanh_tail_df32(s);
    let u = two_sum(s.x, t.x);
    let v = two_sum(s.y, t.y);
    let w = two_sum(u.y, v.x);
    let low = 2.0 * (w.y + v.y + left / g.x);
    let k = f32(n);
    let b = two_sum(k * DF32_LN2_1, 2.0 * u.x);
    let c = two_sum(k * DF32_LN2_2, 2.0 * w.x);
    let f = two_sum(b.y, c.x);
    let x = quick_two_sum(b.x, f.x);
    let y = quick_two_sum(x.y, opaque(f.y + c.y + k * DF32_LN2_3 + low));
    return vec3<f32>(x.x, y);
}

// a^b for finite a > 0 and finite b, exp(b ln a) with the exponent as three f32; relative error <= 2e-14 + 2^-52 |b ln a|.
fn powf_positive_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let l = ln_extended_df32(a);
    let p = two_prod(b.x, l.x);
    if (p.x > 150.0) {
        return inf_df32(false);
    }
    if (p.x < -150.0) {
        return vec2<f32>(0.0, 0.0);
    }
    let q = two_prod(b.x, l.y);
    let o = two_prod(b.y, l.x);
    let s = two_sum(q.x, o.x);
    let t = two_sum(p.y, s.x);
    let low = opaque(t.y + s.y + q.y + o.y + b.x * l.z + b.y * l.y);
    let r = exp_reduce_df32(vec2<f32>(p.x, t.x));
    let e = exp_m1_series_df32(add_f32_df32(r.xy, low));
    return scale_df32(sum_df32(vec2<f32>(1.0, 0.0), e), i32(r.z));
}

// a^b as f64::powf: a < 0 needs a whole b; relative error <= 2e-14 + 2^-52 |b ln a|.
fn powf_df32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let one = vec2<f32>(1.0, 0.0);
    if (b.x == 0.0 || equal_df32(a, one)) {
        return one;
    }
    if (is_nan_df32(a) || is_nan_df32(b)) {
        return nan_df32();
    }
    let m = abs_df32(a);
    let down = is_negative_df32(b.x);
    if (is_special_f32_df32(b.x)) {
        if (equal_df32(m, one)) {
            return one;
        }
        if (less_df32(m, one) == down) {
            return inf_df32(false);
        }
        return vec2<f32>(0.0, 0.0);
    }
    let whole = is_whole_df32(b);
    let negate = is_negative_df32(a.x) && whole && is_odd_df32(b);
    var r = vec2<f32>(0.0, 0.0);
    if (a.x == 0.0 || is_special_f32_df32(a.x)) {
        if ((a.x == 0.0) == down) {
            r = inf_df32(false);
        }
    } else {
        if (is_negative_df32(a.x) && !whole) {
            return nan_df32();
        }
        r = powf_positive_df32(m, b);
    }
    return select(r, -r, negate);
}

// A hash of n (Murmur3's finaliser).
fn hash_df32(n: u32) -> u32 {
    var h = n;
    h = (h ^ (h >> 16u)) * 0x85ebca6bu;
    h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
    return h ^ (h >> 16u);
}

// The integer hi 2^32 + lo (below 2^50) rounded to 24 bits, to even at a tie: significand, shift, and what rounding left off
// (an i32 as bits).
fn round_integer_df32(hi: u32, lo: u32) -> vec3<u32> {
    var length = 32u - countLeadingZeros(lo);
    if (hi != 0u) {
        length = 64u - countLeadingZeros(hi);
    }
    if (length <= 24u) {
        return vec3<u32>(lo, 0u, 0u);
    }
    let shift = length - 24u;
    let unit = 1u << shift;
    let left = lo & (unit - 1u);
    let tie = unit >> 1u;
    var digits = lo >> shift;
    if (hi != 0u) {
        digits |= hi << (32u - shift);
    }
    if (left > tie || (left == tie && (digits & 1u) == 1u)) {
        return vec3<u32>(digits + 1u, shift, left - unit);
    }
    return vec3<u32>(digits, shift, left);
}

// Whether a pair is, bit for bit, the rounded integer and remainder of `round_integer_df32` times sign 2^e (0 matches -0).
fn matches_integer_df32(a: vec2<f32>, n: vec3<u32>, sign: f32, e: i32) -> bool {
    let unit = sign * pow2_df32(e);
    let x = opaque(f32(n.x) * unit) * pow2_df32(i32(n.y));
    let y = f32(bitcast<i32>(n.z)) * unit;
    let dx = bitcast<u32>(x) ^ bitcast<u32>(a.x);
    let dy = bitcast<u32>(y) ^ bitcast<u32>(a.y);
    let zero = ((bitcast<u32>(y) | bitcast<u32>(a.y)) & 0x7fffffffu) == 0u;
    return dx == 0u && (dy == 0u || zero);
}

// 0 if the building blocks work on this device, 1 otherwise; to be run for i = 0 .. 4096. Pseudo-random 24-bit significands
// are added and multiplied as integers, and `two_sum`, `quick_two_sum` and `two_prod` must give the same rounded result and
// the same error term, bit for bit: an optimiser that removed the error term, fused or reassociated, or a rounding other
// than to nearest is found. Then division and square root must be undone by multiplication to 2^-43.
fn self_test_df32(i: u32) -> u32 {
    let h = hash_df32(i * 3u + 1u);
    let k = hash_df32(i * 3u + 2u);
    let l = hash_df32(i * 3u + 3u);
    let big = max(h & 0x7fffffu, k & 0x7fffffu) | 0x800000u;
    let small = min(h & 0x7fffffu, k & 0x7fffffu) | 0x800000u;
    let d = (l >> 8u) % 26u;
    let e = -i32((l >> 16u) & 31u) - 8;
    let sign = select(1.0, -1.0, (l & 1u) == 1u);
    let opposite = (l & 2u) == 2u;

    // (big 2^d +- small) 2^e
    let low = big << d;
    var high = 0u;
    if (d != 0u) {
        high = big >> (32u - d);
    }
    var sum_low = low + small;
    var sum_high = high + select(0u, 1u, sum_low < low);
    if (opposite) {
        sum_low = low - small;
        sum_high = high - select(0u, 1u, low < small);
    }
    let sum = round_integer_df32(sum_high, sum_low);
    let a = opaque(sign * f32(big) * pow2_df32(e)) * pow2_df32(i32(d));
    let b = select(sign, -sign, opposite) * f32(small) * pow2_df32(e);
    var good = matches_integer_df32(two_sum(a, b), sum, sign, e);
    good = good && matches_integer_df32(two_sum(b, a), sum, sign, e);
    good = good && matches_integer_df32(quick_two_sum(a, b), sum, sign, e);

    // big small 2^e
    let b0 = big & 0xffffu;
    let b1 = big >> 16u;
    let s0 = small & 0xffffu;
    let s1 = small >> 16u;
    let p0 = b0 * s0;
    let middle = b0 * s1 + b1 * s0;
    let product_low = p0 + (middle << 16u);
    let product_high = b1 * s1 + (middle >> 16u) + select(0u, 1u, product_low < p0);
    let product = round_integer_df32(product_high, product_low);
    let c = sign * f32(big);
    let f = f32(small) * pow2_df32(e);
    good = good && matches_integer_df32(two_prod(c, f), product, sign, e);
    good = good && matches_integer_df32(two_prod(f, c), product, sign, e);

    // (c / f) f = c and sqrt(|c|)^2 = |c|
    let x = vec2<f32>(c, f32(h >> 24u) * 0.001953125);
    let y = vec2<f32>(f32(small), f32(k >> 24u) * 0.001953125);
    let r = sub_df32(mul_df32(div_df32(x, y), y), x);
    good = good && is_finite_df32(r) && abs(r.x) <= abs(c) * 1.1368684e-13;
    let w = abs_df32(x);
    let v = sqrt_df32(w);
    let t = sub_df32(mul_df32(v, v), w);
    good = good && is_finite_df32(t) && abs(t.x) <= abs(c) * 1.1368684e-13;
    return select(1u, 0u, good);
}
