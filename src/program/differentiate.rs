//! Symbolic differentiation of programs: the result is a program again.

use super::{Builder, Id, LossProgram, Node, Program, Retraction};
use crate::value::{Algebra, Partial, op::Op, partial};
use std::sync::Arc;

/// An entry of the Jacobian that is not zero: `factor`, times the stored number if there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JacobianEntry {
    /// Row: index of the residual in its block.
    pub residual: u32,
    /// Column: the parameter block …
    pub block: u32,
    /// … and the component in its tangent space.
    pub component: u32,
    /// The constant part.
    pub factor: f64,
    /// Index among the stored numbers of an instance; `None` where the entry is constant.
    pub stored: Option<u32>,
}

/// The derivatives of every output, `None` where one is 0.
struct Jacobian {
    /// (block, component) in order.
    columns: Vec<(u32, u32)>,
    rows: Vec<Vec<Option<Id>>>,
}

impl Jacobian {
    /// Replaces the columns of a block's numbers by those of its tangent space: J·P(x).
    fn pull_back(&mut self, builder: &mut Builder, block: u32, retraction: &Retraction) {
        let differential = builder.inline(&retraction.differential, |builder, leaf| match leaf {
            Node::Parameter { component, .. } => builder.leaf(Node::Parameter { block, component }),
            leaf => builder.leaf(leaf),
        });
        let tangent = retraction.tangent_size();
        let begin = self.columns.partition_point(|&(other, _)| other < block);
        let end = self.columns.partition_point(|&(other, _)| other <= block);
        for row in &mut self.rows {
            let derivatives: Vec<Option<Id>> = (0..tangent)
                .map(|column| {
                    let entries = self.columns[begin..end].iter().zip(&row[begin..end]);
                    let terms = entries
                        .filter_map(|(&(_, k), entry)| Some(((*entry)?, differential[k as usize * tangent + column])));
                    terms.fold(None, |sum, (outer, inner)| {
                        if builder.as_literal(inner) == Some(0.0) {
                            return sum;
                        }
                        let term = builder.two(Op::Mul, outer, inner);
                        Some(sum.map_or(term, |sum| builder.two(Op::Add, sum, term)))
                    })
                })
                .collect();
            row.splice(begin..end, derivatives);
        }
        self.columns.splice(begin..end, (0..tangent as u32).map(|column| (block, column)));
    }
}

/// Residuals and Jacobian of one instance, as one program.
///
/// Entries that are statically zero do not appear, constant ones are known here and cost nothing, and entries that differ by a
/// constant factor (the two ends of an edge) share one stored number.
#[derive(Debug, Clone, PartialEq)]
pub struct Linearization {
    /// Returns the residuals, corrected if there is a loss, and then the stored numbers.
    pub program: Program,
    /// Number of residuals.
    pub residuals: usize,
    /// Entries by residual, block, component.
    pub entries: Vec<JacobianEntry>,
    /// Number of components of each parameter block's tangent space, in which the entries are: the size of the block, unless it
    /// is on a manifold.
    pub tangent_sizes: Vec<u32>,
}

impl Linearization {
    /// Number of values stored per instance for the Jacobian.
    pub fn stored(&self) -> usize {
        self.program.outputs.len() - self.residuals
    }

    /// The residuals, the outputs of another program of the same instances, and the stored values as one program, with where the second and the
    /// third begin. What the two compute alike is computed once.
    pub fn with_objective(&self, objective: &Program) -> (Program, [usize; 2]) {
        let mut builder = Builder::from_program(&self.program);
        let added = builder.inline(objective, Builder::leaf);
        let (residuals, stored) = self.program.outputs.split_at(self.residuals);
        let program =
            builder.finish(self.program.block_sizes.clone(), self.program.data, &[residuals, &added, stored].concat());
        (program, [residuals.len(), residuals.len() + added.len()])
    }

    /// The program of the stored values alone.
    pub fn jacobian_program(&self) -> Program {
        let builder = Builder::from_program(&self.program);
        builder.finish(self.program.block_sizes.clone(), self.program.data, &self.program.outputs[self.residuals..])
    }
}

impl Program {
    /// The derivative of every output in every parameter.
    ///
    /// Reverse accumulation per output, or forward accumulation per parameter where the outputs are the more numerous. The
    /// program of the result can be differentiated again, which gives second derivatives.
    pub fn differentiate(&self) -> Linearization {
        self.linearize(&[], None)
    }

    /// As [`Program::differentiate`], but in δ at x ⊞ δ for the blocks that have a retraction, and corrected for a robust loss.
    ///
    /// `retractions` may be shorter than the list of blocks.
    ///
    /// # Panics
    /// If a retraction is of another size than its block.
    pub fn linearize(&self, retractions: &[Option<Arc<Retraction>>], loss: Option<&LossProgram>) -> Linearization {
        let mut builder = Builder::from_program(self);
        let mut jacobian = self.jacobian(&mut builder);
        let mut tangent_sizes = self.block_sizes.clone();
        for (block, retraction) in retractions.iter().enumerate() {
            let Some(retraction) = retraction else { continue };
            assert_eq!(retraction.ambient_size(), self.block_sizes[block] as usize, "size of block {block}");
            jacobian.pull_back(&mut builder, block as u32, retraction);
            tangent_sizes[block] = retraction.tangent_size() as u32;
        }
        let mut residuals = self.outputs.clone();
        if let Some(loss) = loss {
            loss.correct(&mut builder, &mut residuals, &mut jacobian.rows);
        }
        let mut entries: Vec<JacobianEntry> = Vec::new();
        let mut stored: Vec<Id> = Vec::new();
        // By stored number, the entry that is the only one to read it, and its derivative.
        let mut only: Vec<Option<(usize, Id)>> = Vec::new();
        for (residual, row) in jacobian.rows.iter().enumerate() {
            for (&(block, component), &derivative) in jacobian.columns.iter().zip(row) {
                let Some(derivative) = derivative else { continue };
                let (factor, variable) = split_factor(&builder, derivative);
                if factor == 0.0 {
                    continue;
                }
                let slot = variable.map(|id| match stored.iter().position(|&s| s == id) {
                    Some(slot) => {
                        only[slot] = None;
                        slot as u32
                    }
                    None => {
                        stored.push(id);
                        only.push(Some((entries.len(), derivative)));
                        stored.len() as u32 - 1
                    }
                });
                entries.push(JacobianEntry { residual: residual as u32, block, component, factor, stored: slot });
            }
        }
        // Where no two entries share a number and none is constant, what is stored can be the Jacobian itself, and nobody who reads it has to
        // copy it for the sake of a factor.
        let dense = residuals.len() * tangent_sizes.iter().sum::<u32>() as usize;
        if entries.len() == dense && only.iter().all(Option::is_some) && only.len() == dense {
            for (stored, &(entry, derivative)) in stored.iter_mut().zip(only.iter().flatten()) {
                *stored = derivative;
                entries[entry].factor = 1.0;
            }
        }
        let outputs: Vec<Id> = residuals.iter().chain(&stored).copied().collect();
        let program = builder.finish(self.block_sizes.clone(), self.data, &outputs);
        Linearization { program, residuals: residuals.len(), entries, tangent_sizes }
    }

    fn jacobian(&self, builder: &mut Builder) -> Jacobian {
        let parameters = self.used_parameters();
        let rows = if self.outputs.len() > parameters.len() {
            self.forward(builder, &parameters)
        } else {
            let active = self.active();
            self.outputs.iter().map(|&output| self.reverse(builder, output, &parameters, &active)).collect()
        };
        let columns = parameters.iter().map(|&(block, component, _)| (block, component)).collect();
        Jacobian { columns, rows }
    }

    /// (block, component, node) of the parameters that occur, by block and component.
    fn used_parameters(&self) -> Vec<(u32, u32, Id)> {
        let mut parameters: Vec<(u32, u32, Id)> = (0..)
            .zip(&self.nodes)
            .filter_map(|(id, node)| match *node {
                Node::Parameter { block, component } => Some((block, component, id)),
                _ => None,
            })
            .collect();
        parameters.sort_unstable();
        parameters
    }

    /// Which nodes depend on a parameter.
    fn active(&self) -> Vec<bool> {
        let mut active = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let is = matches!(node, Node::Parameter { .. }) || node.arguments().iter().any(|&a| active[a as usize]);
            active.push(is);
        }
        active
    }

    /// ∂output/∂parameter for each parameter, `None` where it is zero.
    fn reverse(
        &self,
        builder: &mut Builder,
        output: Id,
        parameters: &[(u32, u32, Id)],
        active: &[bool],
    ) -> Vec<Option<Id>> {
        let mut adjoints: Vec<Option<Id>> = vec![None; self.nodes.len()];
        if active[output as usize] {
            adjoints[output as usize] = Some(builder.literal(1.0));
        }
        for id in (0..=output).rev() {
            let (Some(adjoint), Node::Apply { op, args }) = (adjoints[id as usize], self.nodes[id as usize]) else {
                continue;
            };
            for (k, &argument) in args[..op.arity()].iter().enumerate() {
                if !active[argument as usize] {
                    continue;
                }
                if let Some(term) = product(builder, op, args, id, k, adjoint) {
                    let sum = &mut adjoints[argument as usize];
                    *sum = Some(sum.map_or(term, |s| builder.apply(Op::Add, [s, term, s])));
                }
            }
        }
        parameters.iter().map(|&(_, _, id)| adjoints[id as usize]).collect()
    }

    /// The same for all outputs at once, one parameter at a time.
    fn forward(&self, builder: &mut Builder, parameters: &[(u32, u32, Id)]) -> Vec<Vec<Option<Id>>> {
        let mut rows = vec![vec![None; parameters.len()]; self.outputs.len()];
        let mut tangents: Vec<Option<Id>> = Vec::with_capacity(self.nodes.len());
        for (column, &(_, _, parameter)) in parameters.iter().enumerate() {
            tangents.clear();
            for (id, node) in (0..).zip(&self.nodes) {
                let mut tangent = (id == parameter).then(|| builder.literal(1.0));
                if let Node::Apply { op, args } = *node {
                    for (k, &argument) in args[..op.arity()].iter().enumerate() {
                        let Some(inner) = tangents[argument as usize] else { continue };
                        if let Some(term) = product(builder, op, args, id, k, inner) {
                            tangent = Some(tangent.map_or(term, |s| builder.apply(Op::Add, [s, term, s])));
                        }
                    }
                }
                tangents.push(tangent);
            }
            for (row, &output) in rows.iter_mut().zip(&self.outputs) {
                row[column] = tangents[output as usize];
            }
        }
        rows
    }
}

/// `factor` times ∂op/∂argument `k`; `None` where that is zero.
pub(super) fn product(builder: &mut Builder, op: Op, args: [Id; 3], value: Id, k: usize, factor: Id) -> Option<Id> {
    let term = match partial(builder, op, args, value, k) {
        Partial::Zero => return None,
        Partial::One => factor,
        Partial::MinusOne => builder.apply(Op::Neg, [factor; 3]),
        Partial::Factor(derivative) => builder.apply(Op::Mul, [factor, derivative, factor]),
    };
    (builder.as_literal(term) != Some(0.0)).then_some(term)
}

/// A derivative as constant factor and variable rest.
fn split_factor(builder: &Builder, mut id: Id) -> (f64, Option<Id>) {
    let mut factor = 1.0;
    loop {
        match builder.node(id) {
            Node::Literal(number) => return (factor * number, None),
            Node::Apply { op: Op::Neg, args } => {
                factor = -factor;
                id = args[0];
            }
            Node::Apply { op: Op::Mul, args: [a, b, _] } => {
                if let Some(number) = builder.as_literal(a) {
                    factor *= number;
                    id = b;
                } else if let Some(number) = builder.as_literal(b) {
                    factor *= number;
                    id = a;
                } else {
                    return (factor, Some(id));
                }
            }
            // a − b and b − a are different nodes of one number: the one first built stands for both.
            Node::Apply { op: Op::Sub, args: [a, b, _] } if b < a => match builder.find(Op::Sub, [b, a, b]) {
                Some(opposite) => return (-factor, Some(opposite)),
                None => return (factor, Some(id)),
            },
            _ => return (factor, Some(id)),
        }
    }
}
