//! The interpreter of lane bytecode.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::simd128;
use super::trigonometry;
use crate::backend::{Column, InstanceTable};
use crate::kernel::{Instruction, LaneCode, Pair};
use crate::value::op::Op;
use pulp::{Arch, Simd, WithSimd};
use std::cell::Cell;
use std::ops::Range;
use std::thread::LocalKey;

/// Instances a chunk: 512 bytes a register, so that some eighty registers stay in the first-level cache.
pub const LANES: usize = 64;
/// Numbers that the widest registers of a processor hold.
const WIDTH: usize = 8;
/// Instances that all fit a shorter lane: half the memory, which is most of what a first evaluation waits for. A browser would have to load the
/// loops twice.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const FEW: usize = LANES / 2;

/// One number for each instance of a chunk. Aligned, for a vector that lies across two cache lines is loaded and stored in two goes.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Lane<const N: usize>(pub [f64; N]);

impl<const N: usize> Lane<N> {
    #[inline(always)]
    fn vectors(&self) -> &[[f64; WIDTH]] {
        self.0.as_chunks().0
    }

    #[inline(always)]
    fn vectors_mut(&mut self) -> &mut [[f64; WIDTH]] {
        self.0.as_chunks_mut().0
    }
}

/// The registers of one thread, of `N` lanes each.
///
/// An instruction may overwrite its own argument. So that the loops vectorise all the same, each takes as many numbers as a vector
/// has out of the arguments before it writes any.
pub(super) struct Registers<const N: usize>
where
    Lane<N>: Spared,
{
    lanes: Vec<Lane<N>>,
    /// Where the parameter block of the instances begins for which the instructions that depend on it alone have been run.
    kept: Option<u32>,
    /// The last vector of each lane that is somebody's: one before the last where the chunk, the last of its run, has few instances.
    last_vector: usize,
}

/// What a thread keeps of registers that are no longer used. What stands in them is nobody's.
pub(super) trait Spared: Sized + 'static {
    /// Where.
    fn spare() -> &'static LocalKey<Cell<Vec<Self>>>;
}

macro_rules! spared {
    ($($lanes:ident)*) => {$(
        impl Spared for Lane<$lanes> {
            fn spare() -> &'static LocalKey<Cell<Vec<Self>>> {
                thread_local! {
                    static SPARE: Cell<Vec<Lane<$lanes>>> = const { Cell::new(Vec::new()) };
                }
                &SPARE
            }
        }
    )*};
}

spared!(LANES);
#[cfg(not(target_arch = "wasm32"))]
spared!(FEW);

/// Most lanes that a thread keeps: half a megabyte.
const SPARED: usize = 1024;

impl<const N: usize> Drop for Registers<N>
where
    Lane<N>: Spared,
{
    fn drop(&mut self) {
        if self.lanes.len() <= SPARED {
            Lane::spare().set(std::mem::take(&mut self.lanes));
        }
    }
}

impl<const N: usize> Registers<N>
where
    Lane<N>: Spared,
{
    /// For chunks of as many instances as there are, or whole ones.
    pub fn new(code: &LaneCode, instances: usize) -> Self {
        let mut lanes = Lane::spare().take();
        if lanes.len() < code.registers {
            lanes.reserve_exact(code.registers - lanes.len());
            lanes.resize(code.registers, Lane([0.0; N]));
        }
        // Of a few instances there are but the first vectors of a lane.
        let filled = instances.next_multiple_of(WIDTH).min(N);
        for (lane, &literal) in lanes.iter_mut().zip(&code.literals) {
            lane.0[..filled].fill(literal);
        }
        Registers { lanes, kept: None, last_vector: N / WIDTH - 1 }
    }

    #[inline(always)]
    fn unary(&mut self, to: u32, [a, ..]: [u32; 3], f: impl Fn(f64) -> f64) {
        self.ternary(to, [a; 3], |a, _, _| f(a));
    }

    #[inline(always)]
    fn binary(&mut self, to: u32, [a, b, _]: [u32; 3], f: impl Fn(f64, f64) -> f64) {
        self.ternary(to, [a, b, b], |a, b, _| f(a, b));
    }

    #[inline(always)]
    fn ternary(&mut self, to: u32, args: [u32; 3], f: impl Fn(f64, f64, f64) -> f64) {
        let (lanes, to, [a, b, c]) = (&mut self.lanes[..], to as usize, args.map(|a| a as usize));
        // Checked once, and not for each vector.
        assert!(to < lanes.len() && a < lanes.len() && b < lanes.len() && c < lanes.len());
        for k in 0..N / WIDTH {
            let (a, b, c) = (lanes[a].vectors()[k], lanes[b].vectors()[k], lanes[c].vectors()[k]);
            lanes[to].vectors_mut()[k] = std::array::from_fn(|j| f(a[j], b[j], c[j]));
            if k == self.last_vector {
                break;
            }
        }
    }

    /// The sine, or a quarter of a turn on the cosine, half a lane at a time.
    ///
    /// Neither is an argument and no adapter goes through the halves, for what the compiler makes a call of is compiled for the oldest
    /// processor.
    #[inline(always)]
    fn sin<const QUARTERS: u64>(&mut self, to: u32, [a, ..]: [u32; 3]) {
        let argument = self.lanes[a as usize];
        let results = self.lanes[to as usize].0.as_chunks_mut().0;
        let last_half = self.last_vector / (trigonometry::HALF / WIDTH);
        for (half, (x, result)) in argument.0.as_chunks().0.iter().zip(results).enumerate() {
            trigonometry::sin::<QUARTERS>(x, result);
            if half == last_half {
                break;
            }
        }
    }

    /// One arm an operation, so that each becomes a loop over one operation; the operation itself stands in the table of
    /// [`crate::value::op`] alone, but for those that would call the platform lane by lane and need not.
    #[inline(always)]
    fn apply(&mut self, op: Op, to: u32, args: [u32; 3]) {
        macro_rules! arms {
            (unary: $($unary:ident)*; binary: $($binary:ident)*; ternary: $($ternary:ident)*;) => {
                match op {
                    Op::Variable | Op::Datum => {}
                    Op::Sin => self.sin::<0>(to, args),
                    Op::Cos => self.sin::<1>(to, args),
                    Op::Powi(n) => self.unary(to, args, |a| crate::value::op::powi(a, n)),
                    $(Op::$unary => self.unary(to, args, |a| Op::$unary.evaluate(a, a, a)),)*
                    $(Op::$binary => self.binary(to, args, |a, b| Op::$binary.evaluate(a, b, b)),)*
                    $(Op::$ternary => self.ternary(to, args, |a, b, c| Op::$ternary.evaluate(a, b, c)),)*
                }
            };
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        if simd128::apply(&mut self.lanes, op, to, args) {
            return;
        }
        arms! {
            unary: Neg Abs Sign Floor Ceil Round Trunc Sqrt Cbrt Recip Exp Exp2 ExpM1 Ln Ln1p Log2 Log10 Tan Asin
                Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh Sigmoid Softplus;
            binary: Add Sub Mul Div Rem Powf Atan2 Hypot Min Max Copysign Eq Ne Lt Le Gt Ge;
            ternary: Select Clamp;
        }
    }

    /// The same for two operations at once.
    #[inline(always)]
    fn apply_pair(&mut self, pair: Pair, to: u32, args: [u32; 3]) {
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        macro_rules! arms {
            ($($pair:ident)*) => {
                match pair {
                    $(Pair::$pair => self.ternary(to, args, |a, b, c| Pair::$pair.evaluate(a, b, c)),)*
                }
            };
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        return simd128::apply_pair(&mut self.lanes, pair, to, args);
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        arms!(AddAdd AddSub AddFrom AddMul SubAdd SubSub SubFrom SubMul MulAdd MulSub MulFrom MulMul);
    }
}

/// Rows of so many numbers, one behind the other, for one instance each.
pub(super) type Rows<'a> = (&'a mut [f64], usize);

/// A run of bytecode over some instances.
///
/// This is a struct and not a closure because a closure reaches the dispatcher through a shim that the compiler does not inline,
/// and what is not inlined is compiled for the oldest processor.
pub(super) struct Run<'a, const N: usize>
where
    Lane<N>: Spared,
{
    pub code: &'a LaneCode,
    pub table: &'a InstanceTable,
    pub x: &'a [f64],
    pub instances: Range<usize>,
    pub registers: &'a mut Registers<N>,
    /// Output `k` of an instance goes to column `k` of its row in the first of these, and past the width of the rows to the next; all
    /// begin at the first instance.
    pub targets: [Rows<'a>; 3],
}

impl<const N: usize> Run<'_, N>
where
    Lane<N>: Spared,
{
    /// Runs with the best instruction set there is.
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl<const N: usize> WithSimd for Run<'_, N>
where
    Lane<N>: Spared,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        self.registers.kept = None;
        let mut first = self.instances.start;
        while first < self.instances.end {
            let lanes = N.min(self.instances.end - first);
            self.registers.last_vector = (lanes - 1) / WIDTH;
            for instruction in &self.code.instructions[self.kept_instructions(first, lanes)..] {
                self.step(*instruction, first, lanes);
            }
            first += lanes;
        }
    }
}

impl<const N: usize> Run<'_, N>
where
    Lane<N>: Spared,
{
    /// How many instructions may be left out, because all instances have the parameter block that those before them had.
    fn kept_instructions(&mut self, first: usize, lanes: usize) -> usize {
        let Some((block, instructions)) = self.code.kept else { return 0 };
        let starts = &self.table.blocks[block as usize][first..first + lanes];
        let shared = Some(starts[0]).filter(|&start| starts.iter().all(|&other| other == start));
        let before = std::mem::replace(&mut self.registers.kept, shared);
        if shared.is_some() && shared == before { instructions } else { 0 }
    }

    #[inline(always)]
    fn step(&mut self, instruction: Instruction, first: usize, lanes: usize) {
        let (table, x) = (self.table, self.x);
        match instruction {
            Instruction::Parameter { to, block, component } => {
                let starts = &table.blocks[block as usize][first..first + lanes];
                for (number, &start) in self.registers.lanes[to as usize].0.iter_mut().zip(starts) {
                    *number = x[(start + component) as usize];
                }
            }
            Instruction::ThreeParameters { to, block, component } => {
                let starts = &table.blocks[block as usize][first..first + lanes];
                let lanes = self.registers.lanes.get_disjoint_mut(to.map(|to| to as usize));
                let [a, b, c] = lanes.expect("three values that are there at once have a register each");
                for (((&start, a), b), c) in starts.iter().zip(&mut a.0).zip(&mut b.0).zip(&mut c.0) {
                    let start = (start + component) as usize;
                    if let [p, q, r] = x[start..start + 3] {
                        (*a, *b, *c) = (p, q, r);
                    }
                }
            }
            Instruction::Datum { to, column } => {
                let lane = &mut self.registers.lanes[to as usize].0;
                match &table.data[column as usize] {
                    Column::Varying(numbers) => lane[..lanes].copy_from_slice(&numbers[first..first + lanes]),
                    Column::Uniform(number) => lane.fill(*number),
                }
            }
            Instruction::Apply { op, to, args } => self.registers.apply(op, to, args),
            Instruction::Pair { pair, to, args } => self.registers.apply_pair(pair, to, args),
            Instruction::Write { first: output, count } => {
                let outputs = &self.code.outputs[output as usize..][..count as usize];
                let mut column = output as usize;
                for (rows, width) in &mut self.targets {
                    if let Some(beyond) = column.checked_sub(*width) {
                        column = beyond;
                        continue;
                    }
                    let rows = &mut rows[(first - self.instances.start) * *width..][..lanes * *width];
                    return write(&self.registers.lanes, outputs, rows, *width, column);
                }
            }
        }
    }
}

/// Writes lanes to the rows of instances, `width` numbers each, side by side from `column` on: a row after the other, for a column at
/// a time would come back to each line of the cache for every number.
#[inline(always)]
fn write<const N: usize>(registers: &[Lane<N>], outputs: &[u32], rows: &mut [f64], width: usize, column: usize) {
    let lane = |output: u32| &registers[output as usize].0;
    macro_rules! write {
        ($([$($output:ident)*])*) => {
            match *outputs {
                $([$($output),*] => write_columns([$(lane($output)),*], rows, width, column),)*
                _ => (0..).zip(outputs).for_each(|(k, &output)| write_columns([lane(output)], rows, width, column + k)),
            }
        };
    }
    write!([a] [a b] [a b c] [a b c d] [a b c d e] [a b c d e f] [a b c d e f g] [a b c d e f g h]);
}

#[inline(always)]
fn write_columns<const N: usize, const C: usize>(lanes: [&[f64; N]; C], rows: &mut [f64], width: usize, column: usize) {
    for (k, row) in rows.chunks_exact_mut(width).enumerate().take(N) {
        for (number, lane) in row[column..column + C].iter_mut().zip(lanes) {
            *number = lane[k];
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
