//! What need not be computed again for the next chunk.

use crate::program::{Node, Program};

/// With fewer operations than this on one block alone nothing is kept: that would only take registers from the rest.
const WORTH_KEEPING: u32 = 8;

/// What depends on one parameter block alone, the one of which most operations do: as long as instances share the block, as those of a
/// camera do, it need not be computed again.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub block: Option<u32>,
    /// For each node whether it depends on that block and nothing else.
    pub nodes: Vec<bool>,
}

impl Kept {
    pub fn new(program: &Program) -> Self {
        /// The one block that a node depends on; `Err` for several, or data.
        type Dependence = Result<Option<u32>, ()>;
        let mut dependences: Vec<Dependence> = Vec::with_capacity(program.nodes.len());
        let mut operations = vec![0u32; program.block_sizes.len()];
        for node in &program.nodes {
            let dependence = match *node {
                Node::Parameter { block, .. } => Ok(Some(block)),
                Node::Datum(_) => Err(()),
                Node::Literal(_) => Ok(None),
                Node::Apply { .. } => {
                    let one = node.arguments().iter().try_fold(None, |one, &a| match (one, dependences[a as usize]?) {
                        (Some(one), Some(other)) if one != other => Err(()),
                        (one, other) => Ok(one.or(other)),
                    });
                    // An operation on numbers alone, left because its result is not finite, is not kept, nor is what reads it.
                    one.and_then(|one| one.map(Some).ok_or(()))
                }
            };
            if let (Node::Apply { .. }, Ok(Some(block))) = (node, dependence) {
                operations[block as usize] += 1;
            }
            dependences.push(dependence);
        }
        let most = (0..).zip(operations).max_by_key(|&(block, count)| (count, std::cmp::Reverse(block)));
        let block = most.filter(|&(_, count): &(u32, u32)| count >= WORTH_KEEPING).map(|(block, _)| block);
        let nodes = dependences.iter().map(|&d| block.is_some() && d == Ok(block)).collect();
        Kept { block, nodes }
    }
}
