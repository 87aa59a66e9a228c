//! Blocks of Jᵀr: sums of rows times residuals.

use super::{Instances, Sign, Summation, chunk};
use crate::solver::contribution::Product;
use pulp::{Simd, WithSimd};

/// Blocks of `N` numbers.
pub(super) struct Gradients<'a, const N: usize>(pub &'a [Product], pub Summation<'a>);

impl<const N: usize> WithSimd for Gradients<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Gradients(products, summation) = self;
        let instances = summation.instances;
        if let [product] = products
            && let (Some(rows), 1) = (instances.rows::<N>(product.row as usize), instances.width)
        {
            // One residual an instance, and a row for each with nothing in between.
            return summation.sum::<N>(|instances, instance, sign, sum| {
                let residual = sign * product.scale * instances.residuals[instance];
                let row = rows[instance];
                *sum = std::array::from_fn(|k| sum[k] + row[k] * residual);
            });
        }
        let add = |instances: Instances<'_>, product: &Product, instance: usize, sign: f64, sum: &mut [f64; N]| {
            let row: [f64; N] = chunk(instances.jacobian, instance * instances.stride + product.row as usize);
            let residual = instances.residuals[instance * instances.width + product.residual as usize];
            let residual = sign * product.scale * residual;
            *sum = std::array::from_fn(|k| sum[k] + row[k] * residual);
        };
        summation.sum::<N>(|instances, instance, sign, sum| {
            products.iter().for_each(|product| add(instances, product, instance, sign, sum));
        });
    }
}

/// Blocks of any size.
pub(super) fn any_gradients(size: usize, products: &[Product], summation: Summation<'_>) {
    summation.sum_any(size, |instances, instance, sign, sum| {
        for product in products {
            let row = &instances.jacobian[instance * instances.stride + product.row as usize..][..size];
            let residual = instances.residuals[instance * instances.width + product.residual as usize];
            let residual = sign * product.scale * residual;
            sum.iter_mut().zip(row).for_each(|(number, row)| *number += row * residual);
        }
    });
}

/// Blocks of `N` numbers that are residuals times a constant.
pub(super) struct ScaledResiduals<'a, const N: usize>(pub (usize, f64), pub Summation<'a>);

impl<const N: usize> WithSimd for ScaledResiduals<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ScaledResiduals((first, factor), summation) = self;
        let Summation { instances, sums, .. } = summation;
        let (rows, rest) = instances.residuals.as_chunks::<N>();
        if first == 0 && instances.width == N && rest.is_empty() && sums.sign != Sign::Mixed {
            let factor = if sums.sign == Sign::Negative { -factor } else { factor };
            return summation.add::<N>(|sources| {
                let mut sum = [0.0; N];
                for &source in sources {
                    let residuals = rows[source as usize >> 1];
                    sum = std::array::from_fn(|k| sum[k] + residuals[k]);
                }
                sum.map(|sum| factor * sum)
            });
        }
        summation.sum::<N>(|instances, instance, sign, sum| {
            let residuals: [f64; N] = chunk(instances.residuals, instance * instances.width + first);
            let factor = sign * factor;
            *sum = std::array::from_fn(|k| sum[k] + factor * residuals[k]);
        });
    }
}

/// The same of any size.
pub(super) fn any_scaled_residuals(size: usize, (first, factor): (usize, f64), summation: Summation<'_>) {
    summation.sum_any(size, |instances, instance, sign, sum| {
        let residuals = &instances.residuals[instance * instances.width + first..][..size];
        sum.iter_mut().zip(residuals).for_each(|(number, residual)| *number += sign * factor * residual);
    });
}
