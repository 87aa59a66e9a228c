//! What was made of the functions that a user handed over, by what they recorded, for the life of the process: to differentiate a function
//! takes longer than to record it, and whoever states one problem often states many.

use crate::program::Program;
use crate::topology::Expression;
use std::sync::{Mutex, PoisonError};

/// Most that is kept, the latest.
const KEPT: usize = 64;

/// What was made, and of what.
struct Made<T> {
    expression: Expression,
    /// Bit by bit, as 0 and −0 are two numbers.
    constants: Vec<u64>,
    made: T,
}

/// What was made in one way.
pub(super) struct Memo<T>(Mutex<Vec<Made<T>>>);

impl<T: Clone> Memo<T> {
    pub const fn new() -> Self {
        Memo(Mutex::new(Vec::new()))
    }

    /// What `make` makes of the program of an expression with these constants for its data.
    ///
    /// # Errors
    /// That of `make`, which is not kept.
    pub fn get<E>(
        &self,
        expression: &Expression,
        data: &[f64],
        make: impl FnOnce(Program) -> Result<T, E>,
    ) -> Result<T, E> {
        let constants: Vec<u64> = data.iter().map(|number| number.to_bits()).collect();
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = kept().iter().find(|made| made.expression == *expression && made.constants == constants) {
            return Ok(same.made.clone());
        }
        // Not under the lock: two threads may make the same, and nothing is wrong then.
        let values: Vec<Option<f64>> = data.iter().copied().map(Some).collect();
        let made = make(Program::new(expression, &values))?;
        let mut kept = kept();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push(Made { expression: expression.clone(), constants, made: made.clone() });
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{ExpressionNode, Ref};
    use crate::value::op::Op;
    use std::convert::Infallible;
    use std::sync::Arc;

    #[test]
    fn what_is_alike_is_made_once() {
        let x = Ref::Parameter { block: 0, component: 0 };
        let scaled = ExpressionNode { op: Op::Mul, args: [x, Ref::Datum(0), x] };
        let expression = Expression { block_sizes: vec![1], data: 1, nodes: vec![scaled], outputs: vec![Ref::Node(0)] };
        let memo = Memo::new();
        let get = |factor: f64| {
            let Ok(made) = memo.get(&expression, &[factor], |program| Ok::<_, Infallible>(Arc::new(program)));
            made
        };
        let first = get(0.0);
        assert!(Arc::ptr_eq(&first, &get(0.0)));
        assert!(!Arc::ptr_eq(&first, &get(-0.0)));
        for k in 1..=2 * KEPT {
            assert_eq!(*get(k as f64), Program::new(&expression, &[Some(k as f64)]));
        }
        assert!(memo.0.lock().unwrap().len() <= KEPT);
        assert_eq!(memo.get(&expression, &[0.5], |_| Err("refused")), Err("refused"));
        assert_eq!(get(0.5).evaluate(&[&[3.0]], &[]), [1.5], "an error is not kept");
    }
}
