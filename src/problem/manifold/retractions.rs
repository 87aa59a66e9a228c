//! Retractions by what x ⊞ δ records, for the life of the process: to differentiate one takes longer than to record it, and whoever states
//! one problem often states many.

use crate::kernel::LaneCode;
use crate::program::{Program, Retraction};
use crate::topology::Expression;
use std::sync::{Arc, Mutex, PoisonError};

/// A retraction and what it was made of.
struct Made {
    expression: Expression,
    /// Bit by bit, as 0 and −0 are two numbers.
    constants: Vec<u64>,
    retraction: Arc<Retraction>,
    code: Arc<LaneCode>,
}

static MADE: Mutex<Vec<Made>> = Mutex::new(Vec::new());

/// Most retractions that are kept, the latest.
const KEPT: usize = 64;

/// The retraction that an expression of the blocks x and δ computes, and the code of x ⊞ δ.
pub(super) fn compile(expression: &Expression, data: &[f64]) -> (Arc<Retraction>, Arc<LaneCode>) {
    let constants: Vec<u64> = data.iter().map(|number| number.to_bits()).collect();
    let made = || MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = made().iter().find(|made| made.expression == *expression && made.constants == constants) {
        return (same.retraction.clone(), same.code.clone());
    }
    // Not under the lock: two threads may make the same one, and nothing is wrong then.
    let values: Vec<Option<f64>> = data.iter().copied().map(Some).collect();
    let retraction = Arc::new(Retraction::new(Program::new(expression, &values)));
    let code = Arc::new(LaneCode::new(&retraction.plus));
    let mut made = made();
    if made.len() >= KEPT {
        made.remove(0);
    }
    let (kept, kept_code) = (retraction.clone(), code.clone());
    made.push(Made { expression: expression.clone(), constants, retraction: kept, code: kept_code });
    (retraction, code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{ExpressionNode, Ref};
    use crate::value::op::Op;

    #[test]
    fn what_is_alike_is_made_once() {
        let [x, delta] = [0, 1].map(|block| Ref::Parameter { block, component: 0 });
        let sum = ExpressionNode { op: Op::Add, args: [x, delta, x] };
        let scaled = ExpressionNode { op: Op::Mul, args: [Ref::Node(0), Ref::Datum(0), Ref::Node(0)] };
        let expression =
            Expression { block_sizes: vec![1, 1], data: 1, nodes: vec![sum, scaled], outputs: vec![Ref::Node(1)] };
        let first = compile(&expression, &[0.0]).0;
        assert!(Arc::ptr_eq(&first, &compile(&expression, &[0.0]).0));
        assert!(!Arc::ptr_eq(&first, &compile(&expression, &[-0.0]).0));
        for k in 1..=2 * KEPT {
            assert_eq!(
                *compile(&expression, &[k as f64]).0,
                Retraction::new(Program::new(&expression, &[Some(k as f64)]))
            );
        }
        assert!(MADE.lock().unwrap().len() <= KEPT);
    }
}
