//! The interpreter of lane bytecode.

use super::trigonometry;
use crate::backend::{Column, InstanceTable};
use crate::kernel::{Instruction, LaneCode};
use crate::value::op::Op;
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// Instances a chunk: 512 bytes a register, so that some eighty registers stay in the first-level cache.
pub const LANES: usize = 64;

/// One number for each instance of a chunk. Aligned, for a vector that lies across two cache lines is loaded and stored in two goes.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Lane(pub [f64; LANES]);

/// The registers of one thread.
///
/// A result is written to a spare lane that then changes places with the old register: an instruction may overwrite its own
/// argument, and the loops never see two names of one array, which is what lets them vectorise.
#[expect(clippy::vec_box, reason = "lanes change places by their pointers, not by their 512 bytes")]
pub(super) struct Registers {
    lanes: Vec<Box<Lane>>,
    spare: Box<Lane>,
}

impl Registers {
    pub fn new(code: &LaneCode) -> Self {
        let literal = |k: usize| code.literals.get(k).copied().unwrap_or(0.0);
        Registers {
            lanes: (0..code.registers).map(|k| Box::new(Lane([literal(k); LANES]))).collect(),
            spare: Box::new(Lane([0.0; LANES])),
        }
    }

    #[inline(always)]
    fn write(&mut self, to: u32, fill: impl FnOnce(&[Box<Lane>], &mut Lane)) {
        fill(&self.lanes, &mut self.spare);
        std::mem::swap(&mut self.spare, &mut self.lanes[to as usize]);
    }

    #[inline(always)]
    fn unary(&mut self, to: u32, [a, ..]: [u32; 3], f: impl Fn(f64) -> f64) {
        self.write(to, |lanes, result| {
            let a = &lanes[a as usize].0;
            for k in 0..LANES {
                result.0[k] = f(a[k]);
            }
        });
    }

    #[inline(always)]
    fn binary(&mut self, to: u32, [a, b, _]: [u32; 3], f: impl Fn(f64, f64) -> f64) {
        self.write(to, |lanes, result| {
            let (a, b) = (&lanes[a as usize].0, &lanes[b as usize].0);
            for k in 0..LANES {
                result.0[k] = f(a[k], b[k]);
            }
        });
    }

    #[inline(always)]
    fn ternary(&mut self, to: u32, [a, b, c]: [u32; 3], f: impl Fn(f64, f64, f64) -> f64) {
        self.write(to, |lanes, result| {
            let (a, b, c) = (&lanes[a as usize].0, &lanes[b as usize].0, &lanes[c as usize].0);
            for k in 0..LANES {
                result.0[k] = f(a[k], b[k], c[k]);
            }
        });
    }

    /// Not by [`Registers::write`]: a closure as long as this would not be inlined, see [`Run`].
    #[inline(always)]
    fn sin(&mut self, to: u32, [a, ..]: [u32; 3]) {
        trigonometry::sin(&self.lanes[a as usize].0, &mut self.spare.0);
        std::mem::swap(&mut self.spare, &mut self.lanes[to as usize]);
    }

    #[inline(always)]
    fn cos(&mut self, to: u32, [a, ..]: [u32; 3]) {
        trigonometry::cos(&self.lanes[a as usize].0, &mut self.spare.0);
        std::mem::swap(&mut self.spare, &mut self.lanes[to as usize]);
    }

    /// One arm an operation, so that each becomes a loop over one operation; the operation itself stands in the table of
    /// [`crate::value::op`] alone, but for those that would call the platform lane by lane and need not.
    #[inline(always)]
    fn apply(&mut self, op: Op, to: u32, args: [u32; 3]) {
        macro_rules! arms {
            (unary: $($unary:ident)*; binary: $($binary:ident)*; ternary: $($ternary:ident)*;) => {
                match op {
                    Op::Variable | Op::Datum => {}
                    Op::Sin => self.sin(to, args),
                    Op::Cos => self.cos(to, args),
                    Op::Powi(n) => self.unary(to, args, |a| crate::value::op::powi(a, n)),
                    $(Op::$unary => self.unary(to, args, |a| Op::$unary.evaluate(a, a, a)),)*
                    $(Op::$binary => self.binary(to, args, |a, b| Op::$binary.evaluate(a, b, b)),)*
                    $(Op::$ternary => self.ternary(to, args, |a, b, c| Op::$ternary.evaluate(a, b, c)),)*
                }
            };
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        if self.apply_to_pairs(op, to, args) {
            return;
        }
        arms! {
            unary: Neg Abs Sign Floor Ceil Round Trunc Sqrt Cbrt Recip Exp Exp2 ExpM1 Ln Ln1p Log2 Log10 Tan Asin
                Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh Sigmoid Softplus;
            binary: Add Sub Mul Div Rem Powf Atan2 Hypot Min Max Copysign Eq Ne Lt Le Gt Ge;
            ternary: Select Clamp;
        }
    }
}

/// Arithmetic on two lanes at once. A module for browsers is compiled for size, and then no loop becomes vector instructions by itself.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
impl Registers {
    /// Applies the operation if there is an instruction for it. (These functions are no `Fn` themselves, hence the closures.)
    fn apply_to_pairs(&mut self, op: Op, to: u32, args: [u32; 3]) -> bool {
        use std::arch::wasm32::{
            f64x2_abs, f64x2_add, f64x2_div, f64x2_mul, f64x2_neg, f64x2_splat, f64x2_sqrt, f64x2_sub,
        };
        match op {
            Op::Add => self.pairs(to, args, |a, b| f64x2_add(a, b)),
            Op::Sub => self.pairs(to, args, |a, b| f64x2_sub(a, b)),
            Op::Mul => self.pairs(to, args, |a, b| f64x2_mul(a, b)),
            Op::Div => self.pairs(to, args, |a, b| f64x2_div(a, b)),
            Op::Neg => self.pairs(to, args, |a, _| f64x2_neg(a)),
            Op::Abs => self.pairs(to, args, |a, _| f64x2_abs(a)),
            Op::Sqrt => self.pairs(to, args, |a, _| f64x2_sqrt(a)),
            Op::Recip => self.pairs(to, args, |a, _| f64x2_div(f64x2_splat(1.0), a)),
            _ => return false,
        }
        true
    }

    #[inline(always)]
    fn pairs(&mut self, to: u32, [a, b, _]: [u32; 3], f: impl Fn(Pair, Pair) -> Pair) {
        self.write(to, |lanes, result| {
            let [a, b] = [a, b].map(|lane| lanes.get(lane as usize).map_or(&[][..], |lane| lane.as_chunks::<2>().0));
            for ((result, a), b) in result.as_chunks_mut::<2>().0.iter_mut().zip(a).zip(b) {
                *result = bytemuck::cast(f(bytemuck::cast(*a), bytemuck::cast(*b)));
            }
        });
    }
}

/// Two numbers in one register of the processor.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
type Pair = std::arch::wasm32::v128;

/// A run of bytecode over some instances.
///
/// This is a struct and not a closure because a closure reaches the dispatcher through a shim that the compiler does not inline,
/// and what is not inlined is compiled for the oldest processor.
pub(super) struct Run<'a> {
    pub code: &'a LaneCode,
    pub table: &'a InstanceTable,
    pub x: &'a [f64],
    pub instances: Range<usize>,
    pub registers: &'a mut Registers,
    /// Output `k` of an instance goes to column `k` of its row here, and past the width of the rows to `stored`; both begin at
    /// the first instance.
    pub residuals: (&'a mut [f64], usize),
    pub stored: (&'a mut [f64], usize),
}

impl Run<'_> {
    /// Runs with the best instruction set there is.
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let mut first = self.instances.start;
        while first < self.instances.end {
            let lanes = LANES.min(self.instances.end - first);
            for instruction in &self.code.instructions {
                self.step(*instruction, first, lanes);
            }
            first += lanes;
        }
    }
}

impl Run<'_> {
    #[inline(always)]
    fn step(&mut self, instruction: Instruction, first: usize, lanes: usize) {
        let (table, x) = (self.table, self.x);
        match instruction {
            Instruction::Parameter { to, block, component } => self.registers.write(to, |_, lane| {
                let starts = &table.blocks[block as usize][first..first + lanes];
                for (number, &start) in lane.0.iter_mut().zip(starts) {
                    *number = x[(start + component) as usize];
                }
            }),
            Instruction::Datum { to, column } => {
                self.registers.write(to, |_, lane| match &table.data[column as usize] {
                    Column::Varying(numbers) => lane.0[..lanes].copy_from_slice(&numbers[first..first + lanes]),
                    Column::Uniform(number) => lane.0.fill(*number),
                })
            }
            Instruction::Apply { op, to, args } => self.registers.apply(op, to, args),
            Instruction::Output { from, output } => {
                let lane = &self.registers.lanes[from as usize].0[..lanes];
                let output = output as usize;
                let (target, column, stride) = match output.checked_sub(self.residuals.1) {
                    None => (&mut *self.residuals.0, output, self.residuals.1),
                    Some(column) => (&mut *self.stored.0, column, self.stored.1),
                };
                let rows = target[(first - self.instances.start) * stride..].chunks_exact_mut(stride);
                for (numbers, &number) in rows.zip(lane) {
                    numbers[column] = number;
                }
            }
        }
    }
}

/// The instruction set that the loops run with.
pub(super) fn instruction_set() -> String {
    let name = format!("{:?}", Arch::new());
    let name = name.split(['(', ' ']).next().unwrap_or_default();
    match name {
        "V4" => "AVX-512".to_owned(),
        "V3" => "AVX2".to_owned(),
        "Neon" => "NEON".to_owned(),
        other => other.to_owned(),
    }
}
