//! Sums of terms over instances, in loops unrolled for the sizes of points, poses and cameras.

use super::contribution::{Outer, Product, Term};
use pulp::{Arch, Simd, WithSimd};

/// Blocks of so many rows are added to column by column: in one go over all entries the compiler makes gathers of them.
const TALL: usize = 6;

/// Sums of one term, each over some instances.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Where the sum goes, by its first number.
    pub targets: Vec<u32>,
    /// Where the sources of each sum end.
    pub ends: Vec<u32>,
    /// The instances summed over, each as twice its index, plus one where the term is taken negative.
    pub sources: Vec<u32>,
}

impl Sums {
    pub fn bytes(&self) -> usize {
        size_of_val(&self.targets[..]) + size_of_val(&self.ends[..]) + size_of_val(&self.sources[..])
    }

    /// (target, sources) of each sum.
    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = (usize, &[u32])> {
        let mut start = 0;
        self.targets.iter().zip(&self.ends).map(move |(&target, &end)| {
            let sources = &self.sources[start..end as usize];
            start = end as usize;
            (target as usize, sources)
        })
    }
}

/// What a sum begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin<'a> {
    /// What stands at the target.
    Present,
    /// Zero.
    Zero,
    /// A vector for each sum, one after the other.
    Bases(&'a [f64]),
}

/// Expanded Jacobians and residuals of a group's instances.
#[derive(Clone, Copy)]
pub(super) struct Instances<'a> {
    pub jacobian: &'a [f64],
    /// From one instance to the next; 0 where the Jacobian is constant and one serves all.
    pub stride: usize,
    pub residuals: &'a [f64],
    /// Residuals of an instance.
    pub width: usize,
}

/// Sums to carry out; a struct for the reason that [`crate::backend::cpu`] gives.
pub(super) struct Summation<'a> {
    pub term: &'a Term,
    pub instances: Instances<'a>,
    pub sums: &'a Sums,
    pub begin: Begin<'a>,
    pub numbers: &'a mut [f64],
}

impl Summation<'_> {
    /// Runs with the best instruction set there is.
    pub fn run(self) {
        // A dispatch a size, so that each of these loops is a function of its own with the registers to itself.
        macro_rules! blocks {
            ($sum:expr, $height:expr, $width:expr, $(($h:literal, $w:literal))*) => {
                match ($height, $width) {
                    $(($h, $w) => Arch::new().dispatch(Blocks::<$h, $w, { $h * $w }>($sum, self)),)*
                    size => any_blocks(size, $sum, self),
                }
            };
        }
        macro_rules! by_size {
            ($size:expr, $run:ident($argument:expr), $any:ident, $($n:literal)*) => {
                match $size {
                    $($n => Arch::new().dispatch($run::<$n>($argument, self)),)*
                    size => $any(size, $argument, self),
                }
            };
        }
        match *self.term {
            Term::Block { height, width, ref sum } => {
                blocks!(sum, height, width, (1, 1)(2, 2)(3, 3)(4, 4)(6, 6)(9, 9)(9, 3)(3, 9)(6, 3)(3, 6));
            }
            Term::Gradient { size, ref sum } => by_size!(size, Gradients(sum), any_gradients, 1 2 3 4 6 9),
            Term::Residuals { size, first, factor } => {
                by_size!(size, ScaledResiduals((first as usize, factor)), any_scaled_residuals, 1 2 3 4 6 9);
            }
        }
    }

    /// Carries out sums of vectors of fixed size; `add` adds the term of an instance to a sum.
    #[inline(always)]
    fn sum<const N: usize>(self, add: impl Fn(Instances<'_>, usize, f64, &mut [f64; N])) {
        let Summation { instances, sums, begin, numbers, .. } = self;
        for (k, (target, sources)) in sums.iter().enumerate() {
            let Some(target) = numbers.get_mut(target..target + N).and_then(|target| target.first_chunk_mut()) else {
                continue;
            };
            let mut sum = match begin {
                Begin::Present => *target,
                Begin::Zero => [0.0; N],
                Begin::Bases(bases) => bases[k * N..].first_chunk().copied().unwrap_or([0.0; N]),
            };
            for &source in sources {
                add(instances, source as usize >> 1, sign(source), &mut sum);
            }
            *target = sum;
        }
    }

    /// As [`Summation::sum`], for any size.
    fn sum_any(self, size: usize, add: impl Fn(Instances<'_>, usize, f64, &mut [f64])) {
        let Summation { instances, sums, begin, numbers, .. } = self;
        for (k, (target, sources)) in sums.iter().enumerate() {
            let sum = &mut numbers[target..target + size];
            match begin {
                Begin::Present => {}
                Begin::Zero => sum.fill(0.0),
                Begin::Bases(bases) => sum.copy_from_slice(&bases[k * size..][..size]),
            }
            for &source in sources {
                add(instances, source as usize >> 1, sign(source), sum);
            }
        }
    }
}

/// 1 or -1, without a branch.
#[inline(always)]
fn sign(source: u32) -> f64 {
    f64::from_bits(1f64.to_bits() | u64::from(source & 1) << 63)
}

/// N numbers from `start`.
#[inline(always)]
fn chunk<const N: usize>(numbers: &[f64], start: usize) -> [f64; N] {
    *numbers[start..].first_chunk().expect("the numbers of an instance")
}

struct Blocks<'a, const H: usize, const W: usize, const N: usize>(&'a [Outer], Summation<'a>);

impl<const H: usize, const W: usize, const N: usize> WithSimd for Blocks<'_, H, W, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Blocks(outers, summation) = self;
        let add = |a: [f64; H], b: [f64; W], sum: &mut [f64; N]| {
            if H < TALL {
                *sum = std::array::from_fn(|k| sum[k] + a[k % H] * b[k / H]);
                return;
            }
            let columns = sum.as_chunks_mut::<H>().0;
            for (column, b) in columns.iter_mut().zip(b) {
                *column = std::array::from_fn(|k| column[k] + a[k] * b);
            }
        };
        match outers {
            // The square of a row: what one residual adds to the diagonal, or across to a block that it reads alike.
            [outer] if H == W && outer.left == outer.right => {
                summation.sum::<N>(|instances, instance, sign, sum| {
                    let place = instance * instances.stride + outer.left as usize;
                    let a: [f64; H] = chunk(instances.jacobian, place);
                    let scale = sign * outer.scale;
                    let b = std::array::from_fn(|k| scale * a[k % H]);
                    add(a, b, sum);
                });
            }
            _ => summation.sum::<N>(|instances, instance, sign, sum| {
                let row = instance * instances.stride;
                for outer in outers {
                    let a: [f64; H] = chunk(instances.jacobian, row + outer.left as usize);
                    let b: [f64; W] = chunk(instances.jacobian, row + outer.right as usize);
                    let scale = sign * outer.scale;
                    add(a, b.map(|b| scale * b), sum);
                }
            }),
        }
    }
}

fn any_blocks((height, width): (usize, usize), outers: &[Outer], summation: Summation<'_>) {
    summation.sum_any(height * width, |instances, instance, sign, sum| {
        let row = &instances.jacobian[instance * instances.stride..];
        for outer in outers {
            let (a, b) = (&row[outer.left as usize..][..height], &row[outer.right as usize..][..width]);
            for (column, b) in sum.chunks_exact_mut(height).zip(b) {
                let b = sign * outer.scale * b;
                column.iter_mut().zip(a).for_each(|(number, a)| *number += a * b);
            }
        }
    });
}

struct Gradients<'a, const N: usize>(&'a [Product], Summation<'a>);

impl<const N: usize> WithSimd for Gradients<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Gradients(products, summation) = self;
        let add = |instances: Instances<'_>, product: &Product, instance: usize, sign: f64, sum: &mut [f64; N]| {
            let row: [f64; N] = chunk(instances.jacobian, instance * instances.stride + product.row as usize);
            let residual = instances.residuals[instance * instances.width + product.residual as usize];
            let residual = sign * product.scale * residual;
            *sum = std::array::from_fn(|k| sum[k] + row[k] * residual);
        };
        if let [product] = products {
            summation.sum::<N>(|instances, instance, sign, sum| add(instances, product, instance, sign, sum));
        } else {
            summation.sum::<N>(|instances, instance, sign, sum| {
                products.iter().for_each(|product| add(instances, product, instance, sign, sum));
            });
        }
    }
}

fn any_gradients(size: usize, products: &[Product], summation: Summation<'_>) {
    summation.sum_any(size, |instances, instance, sign, sum| {
        for product in products {
            let row = &instances.jacobian[instance * instances.stride + product.row as usize..][..size];
            let residual = instances.residuals[instance * instances.width + product.residual as usize];
            let residual = sign * product.scale * residual;
            sum.iter_mut().zip(row).for_each(|(number, row)| *number += row * residual);
        }
    });
}

struct ScaledResiduals<'a, const N: usize>((usize, f64), Summation<'a>);

impl<const N: usize> WithSimd for ScaledResiduals<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ScaledResiduals((first, factor), summation) = self;
        summation.sum::<N>(|instances, instance, sign, sum| {
            let residuals: [f64; N] = chunk(instances.residuals, instance * instances.width + first);
            let factor = sign * factor;
            *sum = std::array::from_fn(|k| sum[k] + factor * residuals[k]);
        });
    }
}

fn any_scaled_residuals(size: usize, (first, factor): (usize, f64), summation: Summation<'_>) {
    summation.sum_any(size, |instances, instance, sign, sum| {
        let residuals = &instances.residuals[instance * instances.width + first..][..size];
        sum.iter_mut().zip(residuals).for_each(|(number, residual)| *number += sign * factor * residual);
    });
}
