//! What an instance adds to the product of JᵀJ with the direction, computed without its Jacobian.

use super::body::Body;
use super::classes::{Class, Kind};
use super::format::{Format, OutOfRange};
use super::groups::{data_columns, node_weight};
use super::incidence::{block_start, name_blocks};
use super::module::Slot;
use crate::kernel::Kernel;
use crate::program::{Node, Program};

/// Most kinds of a class for which what does not differ among the instances of a block is computed ahead: each holds registers.
const MOST_AHEAD: usize = 4;

/// The product for the instances of a kind.
pub(super) struct Product<'a> {
    kind: &'a Kind,
    index: usize,
    kernel: &'a Kernel,
    program: Program,
    /// Which nodes are the same for all instances of a block.
    ahead: Vec<bool>,
    names: Vec<Option<String>>,
}

impl<'a> Product<'a> {
    /// For kind `k` of a class, which stands at `index` in the table of kinds; `None` if blocks do not know their kind's slot.
    pub fn new(class: &'a Class, k: usize, index: usize, kernel: &'a Kernel) -> Option<Self> {
        let kind = &class.kinds[k];
        let (own, component) = kind.own?;
        let specialization = &kernel.specialization;
        let program = kernel.program.normal_product(
            &specialization.retractions,
            specialization.loss.as_deref(),
            |block| !(class.eliminated && block == own),
            (own, component..component + class.size as u32),
        );
        let blocks = kernel.program.block_sizes.len() as u32;
        let mut ahead: Vec<bool> = Vec::with_capacity(program.nodes.len());
        for node in &program.nodes {
            ahead.push(match node {
                _ if class.kinds.len() > MOST_AHEAD => false,
                Node::Literal(_) => true,
                Node::Parameter { block, .. } => block % blocks == own,
                Node::Datum(_) => false,
                Node::Apply { .. } => node.arguments().iter().all(|&argument| ahead[argument as usize]),
            });
        }
        let names = vec![None; program.nodes.len()];
        Some(Product { kind, index, kernel, program, ahead, names })
    }

    /// Whether it depends on data.
    pub fn has_data(&self) -> bool {
        self.program.nodes.iter().any(|node| matches!(node, Node::Datum(_)))
    }

    /// What an instance costs in operations of single precision.
    pub fn weight(&self, format: Format) -> usize {
        let nodes = self.program.nodes.iter().zip(&self.ahead).filter(|(_, ahead)| !**ahead);
        nodes.map(|(node, _)| node_weight(node, format)).sum()
    }

    /// Computes what the instances of a block have in common.
    pub fn begin(&mut self, format: Format) -> Result<Body, OutOfRange> {
        let mut body = Body::with_prefix(format, format!("ahead{}_", self.index));
        let Some((_, component)) = self.kind.own else { return Ok(body) };
        let start = format!("own_start - {component}u");
        let start = body.name("b", &start);
        let blocks = self.kernel.program.block_sizes.len() as u32;
        let ahead = &self.ahead;
        let parameter = |block: u32, k: u32| format!("{}[{start} + {k}u]", vector(block, blocks));
        body.nodes(&self.program, &mut self.names, |id| ahead[id], parameter, |_| unreachable!("data differ"))?;
        Ok(body)
    }

    /// Variables for where the blocks of the entry `next` of a list start.
    pub fn blocks_ahead(&self) -> String {
        let line = |slot: usize| format!("    var next_b{slot} = {};\n", self.next_start(slot));
        self.other_slots().map(line).collect()
    }

    fn next_start(&self, slot: usize) -> String {
        block_start(self.index, slot, &format!("next - plan.kinds[{}].base", self.index))
    }

    /// The slots of an instance but that of the block whose list it is.
    fn other_slots(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.kind.own.map(|(slot, _)| slot as usize);
        (0..self.kernel.program.block_sizes.len()).filter(move |slot| Some(*slot) != own)
    }

    /// Adds the product of instance `i` to the sums `s0`, `s1`, … `ahead`: the variables of [`blocks_ahead`](Self::blocks_ahead) hold where
    /// its blocks start, and then where those of the next do.
    pub fn add(mut self, body: &mut Body, format: Format, ahead: bool) -> Result<(), OutOfRange> {
        let (kernel, index) = (self.kernel, self.index);
        if ahead {
            if let Some((own, component)) = self.kind.own {
                body.line(format!("let b{own} = own_start - {component}u;"));
            }
            for slot in self.other_slots() {
                body.line(format!("let b{slot} = next_b{slot};"));
                body.line(format!("next_b{slot} = {};", self.next_start(slot)));
            }
        } else {
            name_blocks(body, index, kernel, self.kind);
        }
        let blocks = kernel.program.block_sizes.len() as u32;
        let columns = data_columns(kernel);
        let place = |column: u32| columns.iter().position(|&c| c == column).unwrap_or_default();
        body.nodes(
            &self.program,
            &mut self.names,
            |_| true,
            |block, k| format!("{}[b{} + {k}u]", vector(block, blocks), block % blocks),
            |column| format!("data[plan.kinds[{index}].data + {}u * plan.kinds[{index}].stride + i]", place(column)),
        )?;
        for (k, &output) in self.program.outputs.iter().enumerate() {
            if self.program.nodes[output as usize] == Node::Literal(0.0) {
                continue;
            }
            let term = self.names[output as usize].as_deref().expect("all have names");
            let sum = format.operation(crate::value::op::Op::Add, &[&format!("s{k}"), term]);
            body.line(format!("s{k} = {sum};"));
        }
        Ok(())
    }
}

/// The vector that a block of the program is of: the parameters, or the direction.
fn vector(block: u32, blocks: u32) -> &'static str {
    if block < blocks { Slot::Point.variable() } else { Slot::Direction.variable() }
}
