//! A problem that JavaScript builds.

use super::failure::Failure;
use super::object::view;
use super::solving::{self, Listener, Slot, Solve};
use super::template::Template;
use isograd::problem::Evaluation;
use isograd::{BlockId, SolverOptions};
use js_sys::{Float64Array, Promise};
use wasm_bindgen::prelude::*;

/// A nonlinear least-squares problem: minimise ½ Σ ρ(‖r‖²) over parameter blocks.
#[wasm_bindgen]
pub struct Problem(Slot<Stated>);

/// The problem, and its blocks by number.
struct Stated {
    problem: isograd::Problem,
    blocks: Vec<BlockId>,
}

impl Stated {
    fn block(&self, index: u32) -> Result<BlockId, Failure> {
        let count = self.blocks.len();
        let missing = || Failure::argument(format!("there is no parameter block {index}; the problem has {count}"));
        self.blocks.get(index as usize).copied().ok_or_else(missing)
    }
}

#[wasm_bindgen]
impl Problem {
    /// A problem without parameters and residuals.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Problem {
        Problem(Slot::new(Stated { problem: isograd::Problem::new(), blocks: Vec::new() }))
    }

    /// Adds parameter blocks of `size` components each, one after the other in `values`. Returns the number of the first.
    #[wasm_bindgen(js_name = addBlocks)]
    pub fn add_blocks(&self, size: usize, values: &[f64]) -> Result<usize, JsValue> {
        let mut stated = self.0.get_mut()?;
        let first = stated.blocks.len();
        let added = stated.problem.add_parameter_blocks(size, values).map_err(Failure::from)?;
        stated.blocks.extend(added);
        Ok(first)
    }

    /// Adds a residual block for each row of the template's table. Returns the number of scalar residuals that it adds.
    #[wasm_bindgen(js_name = addTemplate)]
    pub fn add_template(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Template")] template: JsValue,
    ) -> Result<usize, JsValue> {
        let template = Template::read(&template)?;
        let mut stated = self.0.get_mut()?;
        let Stated { problem, blocks } = &mut *stated;
        let before = problem.residuals();
        template.add(problem, blocks)?;
        Ok(problem.residuals() - before)
    }

    /// Holds a block at its present numbers.
    pub fn fix(&self, block: u32) -> Result<(), JsValue> {
        let mut stated = self.0.get_mut()?;
        let block = stated.block(block)?;
        Ok(stated.problem.fix(block).map_err(Failure::from)?)
    }

    /// Frees a block.
    pub fn unfix(&self, block: u32) -> Result<(), JsValue> {
        let mut stated = self.0.get_mut()?;
        let block = stated.block(block)?;
        Ok(stated.problem.unfix(block).map_err(Failure::from)?)
    }

    /// Keeps a component of a block between bounds, which may be infinite.
    #[wasm_bindgen(js_name = setBounds)]
    pub fn set_bounds(&self, block: u32, component: usize, lower: f64, upper: f64) -> Result<(), JsValue> {
        let mut stated = self.0.get_mut()?;
        let block = stated.block(block)?;
        Ok(stated.problem.set_bounds(block, component, lower, upper).map_err(Failure::from)?)
    }

    /// Number of scalar residuals.
    #[wasm_bindgen(getter)]
    pub fn residuals(&self) -> Result<usize, JsValue> {
        Ok(self.0.get()?.problem.residuals())
    }

    /// The numbers of all blocks, a view into the module's memory: copy it before anything else is called.
    pub fn parameters(&self) -> Result<Float64Array, JsValue> {
        Ok(view(self.0.get()?.problem.parameters().values()))
    }

    /// Gives all blocks other numbers.
    #[wasm_bindgen(js_name = setParameters)]
    pub fn set_parameters(&self, values: &[f64]) -> Result<(), JsValue> {
        let mut stated = self.0.get_mut()?;
        let Stated { problem, blocks } = &mut *stated;
        Ok(set_parameters(problem, blocks, values)?)
    }

    /// The cost at the present numbers.
    pub fn cost(&self) -> Result<f64, JsValue> {
        Ok(cost(&self.0.get()?.problem)?)
    }

    /// Minimises from the present numbers. The blocks are at the best accepted point after it, whether it resolves or rejects; a
    /// cancelled solve resolves, with termination `cancelled`.
    #[wasm_bindgen(unchecked_return_type = "Promise<Report>")]
    pub fn solve(&self, #[wasm_bindgen(unchecked_optional_param_type = "SolveOptions")] options: JsValue) -> Promise {
        solving::solve(&self.0, options)
    }
}

impl Default for Problem {
    fn default() -> Self {
        Self::new()
    }
}

impl Solve for Stated {
    async fn solve(&mut self, options: &SolverOptions, listener: &mut Listener) -> Result<JsValue, Failure> {
        solving::solve_problem(&mut self.problem, options, listener).await
    }
}

/// ½ Σ ρ(‖r‖²) at the present numbers.
pub fn cost(problem: &isograd::Problem) -> Result<f64, Failure> {
    let mut evaluation = Evaluation::default();
    problem.compile()?.evaluate_objective(problem.parameters().values(), &mut evaluation)?;
    Ok(evaluation.cost())
}

/// Sets blocks one after the other, or none if there is not the right number of finite numbers, or a block cannot have its.
pub fn set_parameters(problem: &mut isograd::Problem, blocks: &[BlockId], values: &[f64]) -> Result<(), Failure> {
    let sizes = |problem: &isograd::Problem, block: &BlockId| problem.parameter_block(*block).len();
    let (expected, found) = (blocks.iter().map(|block| sizes(problem, block)).sum::<usize>(), values.len());
    if expected != found {
        return Err(Failure::argument(format!("{found} numbers given, and there are {expected} parameters")));
    }
    let before = problem.parameters().values().to_vec();
    let offsets = problem.parameters().offsets().to_vec();
    let mut rest = values;
    for (done, &block) in blocks.iter().enumerate() {
        let (own, others) = rest.split_at(sizes(problem, &block));
        rest = others;
        if let Err(error) = problem.set_parameter_block(block, own) {
            for &block in &blocks[..done] {
                let range = offsets[block.index()] as usize..offsets[block.index() + 1] as usize;
                problem.set_parameter_block(block, &before[range])?;
            }
            return Err(error.into());
        }
    }
    Ok(())
}
