//! The product of JᵀJ with a direction, without the Jacobian.

use super::differentiate::product;
use super::{Builder, Id, LossProgram, Node, Program, Retraction};
use crate::value::op::Op;
use std::ops::Range;
use std::sync::Arc;

/// J p under construction.
struct Along {
    builder: Builder,
    /// Of each residual, as rows of one column; `None` where it is zero.
    products: Vec<Vec<Option<Id>>>,
    /// P(x) of each block on a manifold, row by row.
    differentials: Vec<Option<Vec<Id>>>,
    tangent_sizes: Vec<u32>,
}

impl Along {
    /// Applies what the loss makes of J.
    fn correct(&mut self, program: &Program, loss: &LossProgram) {
        loss.correct(&mut self.builder, &mut program.outputs.clone(), &mut self.products);
    }
}

impl Program {
    /// JᵀJ p of one instance, with J as [`Program::linearize`] has it, in the tangent components `components` of block `to`.
    ///
    /// Forward accumulation gives J p, reverse accumulation Jᵀ of that (Griewank and Walther, *Evaluating Derivatives*, 2008, §3.1 and §3.2):
    /// some five times the operations of the residuals, where the Jacobian takes that for each residual. The result has twice as many
    /// blocks as this program: block n + b holds p in the tangent space of block b. Only the blocks that are `along` count in J p.
    ///
    /// # Panics
    /// If a retraction is of another size than its block.
    pub fn normal_product(
        &self,
        retractions: &[Option<Arc<Retraction>>],
        loss: Option<&LossProgram>,
        along: impl Fn(u32) -> bool,
        (to, components): (u32, Range<u32>),
    ) -> Program {
        let mut along_p = self.along(retractions, along);
        if let Some(loss) = loss {
            // J̃ = W J with a symmetric W, which is thus applied twice: once for J̃ p, once for J̃ᵀ.
            along_p.correct(self, loss);
            along_p.correct(self, loss);
        }
        let Along { mut builder, products, differentials, tangent_sizes } = along_p;
        let seeds = self.outputs.iter().zip(&products).filter_map(|(&output, row)| Some((output, row[0]?)));
        let adjoints = self.adjoints(&mut builder, seeds.collect());
        let zero = builder.literal(0.0);
        let mut ambient = vec![zero; self.block_sizes[to as usize] as usize];
        for (node, adjoint) in self.nodes.iter().zip(&adjoints) {
            if let (Node::Parameter { block, component }, Some(adjoint)) = (node, adjoint)
                && *block == to
            {
                ambient[*component as usize] = *adjoint;
            }
        }
        let width = tangent_sizes[to as usize];
        let outputs: Vec<Id> = components
            .map(|k| match &differentials[to as usize] {
                None => ambient[k as usize],
                Some(differential) => (0..).zip(&ambient).fold(zero, |sum, (component, &adjoint)| {
                    let term = builder.two(Op::Mul, differential[(component * width + k) as usize], adjoint);
                    builder.two(Op::Add, sum, term)
                }),
            })
            .collect();
        builder.finish([&self.block_sizes[..], &tangent_sizes].concat(), self.data, &outputs)
    }

    /// J p of one instance, with J as [`Program::linearize`] has it. The result has twice as many blocks as this program: block n + b holds p in
    /// the tangent space of block b.
    ///
    /// # Panics
    /// If a retraction is of another size than its block.
    pub fn jacobian_product(&self, retractions: &[Option<Arc<Retraction>>], loss: Option<&LossProgram>) -> Program {
        let mut along = self.along(retractions, |_| true);
        if let Some(loss) = loss {
            along.correct(self, loss);
        }
        let zero = along.builder.literal(0.0);
        let outputs: Vec<Id> = along.products.iter().map(|row| row[0].unwrap_or(zero)).collect();
        along.builder.finish([&self.block_sizes[..], &along.tangent_sizes].concat(), self.data, &outputs)
    }

    /// J p without the loss, where p has parts only in the blocks that are `along`.
    fn along(&self, retractions: &[Option<Arc<Retraction>>], along: impl Fn(u32) -> bool) -> Along {
        let mut builder = Builder::from_program(self);
        let blocks = self.block_sizes.len() as u32;
        let mut tangent_sizes = self.block_sizes.clone();
        let mut differentials: Vec<Option<Vec<Id>>> = vec![None; blocks as usize];
        for (block, retraction) in (0..).zip(retractions) {
            let Some(retraction) = retraction else { continue };
            assert_eq!(retraction.ambient_size(), self.block_sizes[block as usize] as usize, "size of block {block}");
            tangent_sizes[block as usize] = retraction.tangent_size() as u32;
            differentials[block as usize] =
                Some(builder.inline(&retraction.differential, |builder, leaf| match leaf {
                    Node::Parameter { component, .. } => builder.leaf(Node::Parameter { block, component }),
                    leaf => builder.leaf(leaf),
                }));
        }
        let zero = builder.literal(0.0);
        // What a number of a block changes by along p: P(x) p.
        let change = |builder: &mut Builder, block: u32, component: u32| -> Id {
            let p =
                |builder: &mut Builder, k: u32| builder.leaf(Node::Parameter { block: blocks + block, component: k });
            let Some(differential) = &differentials[block as usize] else { return p(builder, component) };
            let width = tangent_sizes[block as usize];
            (0..width).fold(zero, |sum, k| {
                let p = p(builder, k);
                let term = builder.two(Op::Mul, differential[(component * width + k) as usize], p);
                builder.two(Op::Add, sum, term)
            })
        };
        let tangents = self.tangents(&mut builder, |builder, block, component| {
            along(block).then(|| change(builder, block, component))
        });
        let products = self.outputs.iter().map(|&output| vec![tangents[output as usize]]).collect();
        Along { builder, products, differentials, tangent_sizes }
    }

    /// What every node changes by, from what the parameters do; `None` where that is zero.
    fn tangents(
        &self,
        builder: &mut Builder,
        mut change: impl FnMut(&mut Builder, u32, u32) -> Option<Id>,
    ) -> Vec<Option<Id>> {
        let mut tangents: Vec<Option<Id>> = Vec::with_capacity(self.nodes.len());
        for (id, node) in (0..).zip(&self.nodes) {
            let mut tangent = None;
            match *node {
                Node::Parameter { block, component } => tangent = change(builder, block, component),
                Node::Apply { op, args } => {
                    for (k, &argument) in args[..op.arity()].iter().enumerate() {
                        let Some(inner) = tangents[argument as usize] else { continue };
                        if let Some(term) = product(builder, op, args, id, k, inner) {
                            tangent = Some(tangent.map_or(term, |sum| builder.two(Op::Add, sum, term)));
                        }
                    }
                }
                _ => {}
            }
            tangents.push(tangent);
        }
        tangents
    }

    /// The derivative by every node of the sum of outputs times numbers; `None` where it is zero.
    fn adjoints(&self, builder: &mut Builder, seeds: Vec<(Id, Id)>) -> Vec<Option<Id>> {
        let mut adjoints: Vec<Option<Id>> = vec![None; self.nodes.len()];
        let add = |builder: &mut Builder, adjoints: &mut [Option<Id>], node: Id, term: Id| {
            let sum = &mut adjoints[node as usize];
            *sum = Some(sum.map_or(term, |sum| builder.two(Op::Add, sum, term)));
        };
        for (output, seed) in seeds {
            add(builder, &mut adjoints, output, seed);
        }
        for id in (0..self.nodes.len() as Id).rev() {
            let (Some(adjoint), Node::Apply { op, args }) = (adjoints[id as usize], self.nodes[id as usize]) else {
                continue;
            };
            for (k, &argument) in args[..op.arity()].iter().enumerate() {
                if let Some(term) = product(builder, op, args, id, k, adjoint) {
                    add(builder, &mut adjoints, argument, term);
                }
            }
        }
        adjoints
    }
}
