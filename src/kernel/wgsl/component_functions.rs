//! The functions of a component's module that its shape decides: the step, the trial point, evaluation, and what is kept.

use super::body::Body;
use super::classes::{packed, packed_len};
use super::component::{OwnKind, Shape};
use super::format::OutOfRange;
use super::groups::data_columns;
use super::module::Formats;
use crate::kernel::Kernel;
use crate::program::{JacobianEntry, Program};
use crate::value::op::Op;
use std::fmt::Write;

/// A function's statements and text.
pub(super) type Function = (usize, String);

/// Writes the functions of a shape.
pub(super) struct Writer<'a> {
    pub shape: &'a Shape,
    pub kernels: &'a [&'a Kernel],
    pub formats: Formats,
    pub starts: Vec<usize>,
}

impl Writer<'_> {
    fn body(&self) -> Body {
        Body::new(self.formats.real)
    }

    fn size(&self) -> usize {
        self.shape.scalars()
    }

    /// Where the gradient and the scales begin in the equations.
    fn gradient_place(&self, k: usize) -> String {
        format!("equations[own_place({}u)]", packed_len(self.size()) + k)
    }

    fn scale_place(&self, k: usize) -> String {
        format!("equations[own_place({}u)]", packed_len(self.size()) + self.size() + k)
    }

    fn square_place(&self, k: usize) -> String {
        format!("equations[own_place({k}u)]")
    }

    /// For each column the place in a point of a block that moves by addition.
    fn place_of_column(&self) -> Vec<Option<usize>> {
        let mut places = vec![None; self.size()];
        for (block, &start) in self.shape.blocks.iter().zip(&self.starts) {
            for (k, column) in block.columns.iter().enumerate() {
                if let Some(column) = column.filter(|_| block.retraction.is_none()) {
                    places[column] = Some(start + k);
                }
            }
        }
        places
    }

    /// (JᵀJ + D) δ = −Jᵀr by Cholesky factorisation, with δ = 0 where a bound is active.
    pub fn solve(&self) -> Result<Function, OutOfRange> {
        let size = self.size();
        let mut body = self.body();
        let (zero, one) = (body.literal(0.0)?, body.literal(1.0)?);
        body.line("let radius = narrow(components[own_place(OWN_RADIUS)]);");
        let mut h: Vec<String> = (0..packed_len(size)).map(|k| body.name("h", &self.square_place(k))).collect();
        let mut g: Vec<String> = (0..size).map(|k| body.name("g", &self.gradient_place(k))).collect();
        let places = self.place_of_column();
        let is_bounded = |k: usize| places[k].filter(|_| self.shape.bounded);
        for k in 0..size {
            let scale = body.name("s", &self.scale_place(k));
            let damping = body.name("d", &format!("own_damping({}, {scale}, radius)", h[packed(k, k)]));
            h[packed(k, k)] = body.apply(Op::Add, &[&h[packed(k, k)], &damping]);
            if let Some(place) = is_bounded(k) {
                let x = body.name("x", &format!("point_number({place}u)"));
                body.line(format!("let active{k} = own_is_active({k}u, {x}, {});", g[k]));
                g[k] = body.name("g", &format!("select({}, {zero}, active{k})", g[k]));
            }
        }
        for i in 0..size {
            for j in 0..i {
                let masks: Vec<String> =
                    [i, j].into_iter().filter(|&k| is_bounded(k).is_some()).map(|k| format!("active{k}")).collect();
                if !masks.is_empty() {
                    let entry = &mut h[packed(i, j)];
                    *entry = body.name("h", &format!("select({entry}, {zero}, {})", masks.join(" || ")));
                }
            }
        }
        let mut reciprocals = Vec::with_capacity(size);
        for j in 0..size {
            let original = h[packed(j, j)].clone();
            let mut sum = original.clone();
            for k in 0..j {
                let square = body.apply(Op::Mul, &[&h[packed(j, k)], &h[packed(j, k)]]);
                sum = body.apply(Op::Sub, &[&sum, &square]);
            }
            let root = body.name("t", &format!("sqrt_r(pivot({sum}, {original}))"));
            reciprocals.push(body.apply(Op::Div, &[&one, &root]));
            for i in j + 1..size {
                let mut sum = h[packed(i, j)].clone();
                for k in 0..j {
                    let product = body.apply(Op::Mul, &[&h[packed(i, k)], &h[packed(j, k)]]);
                    sum = body.apply(Op::Sub, &[&sum, &product]);
                }
                h[packed(i, j)] = body.apply(Op::Mul, &[&sum, &reciprocals[j]]);
            }
        }
        let mut y: Vec<String> = Vec::with_capacity(size);
        for i in 0..size {
            let mut sum = body.apply(Op::Neg, &[&g[i]]);
            for j in 0..i {
                let product = body.apply(Op::Mul, &[&h[packed(i, j)], &y[j]]);
                sum = body.apply(Op::Sub, &[&sum, &product]);
            }
            y.push(body.apply(Op::Mul, &[&sum, &reciprocals[i]]));
        }
        for i in (0..size).rev() {
            let mut sum = y[i].clone();
            for j in i + 1..size {
                let product = body.apply(Op::Mul, &[&h[packed(j, i)], &y[j]]);
                sum = body.apply(Op::Sub, &[&sum, &product]);
            }
            y[i] = body.apply(Op::Mul, &[&sum, &reciprocals[i]]);
        }
        for (k, y) in y.iter().enumerate() {
            body.line(format!("own_step[{k}] = {y};"));
            body.line(format!("own_has_step = own_has_step && finite_r({y});"));
        }
        // A step that is none leads nowhere.
        body.line("if (!own_has_step) {");
        (0..size).for_each(|k| body.line(format!("    own_step[{k}] = {zero};")));
        body.line("}");
        let text = format!(
            "fn point_number(k: u32) -> R {{ return x[own_place(k)]; }}\n\nfn solve_component() {{\n{}}}\n",
            body.text
        );
        Ok((body.statements, text))
    }

    /// The trial point is the start.
    pub fn stay(&self) -> Function {
        let mut body = self.body();
        for k in 0..self.shape.ambient() {
            body.line(format!("own_trial[{k}] = point_number({k}u);"));
        }
        (body.statements, format!("fn stay_component() {{\n{}}}\n", body.text))
    }

    /// The trial point, inside the bounds, and what the model promises for the step there.
    pub fn advance(&self) -> Result<Function, OutOfRange> {
        let (mut text, mut statements) = (String::new(), 0);
        let mut body = self.body();
        let zero = body.literal(0.0)?;
        body.line("own_step_square = number_s(0.0f);");
        body.line("own_point_square = number_s(0.0f);");
        for (b, (block, &start)) in self.shape.blocks.iter().zip(&self.starts).enumerate() {
            let step = |k: usize| block.columns[k].map_or(zero.clone(), |column| format!("own_step[{column}]"));
            for k in 0..block.size {
                let x = body.name("x", &format!("point_number({}u)", start + k));
                body.line(format!("own_point_square = add_s(own_point_square, mul_s(wide({x}), wide({x})));"));
                if block.retraction.is_some() {
                    continue;
                }
                match block.columns[k] {
                    Some(column) if self.shape.bounded => {
                        let there = body.apply(Op::Add, &[&x, &step(k)]);
                        let inside = body.name("t", &format!("own_inside({column}u, {there})"));
                        body.line(format!("own_step[{column}] = cut_step({there}, {inside}, {x}, {column}u);"));
                        body.line(format!("own_trial[{}] = {inside};", start + k));
                    }
                    Some(_) => {
                        let there = body.apply(Op::Add, &[&x, &step(k)]);
                        body.line(format!("own_trial[{}] = {there};", start + k));
                    }
                    None => body.line(format!("own_trial[{}] = {x};", start + k)),
                }
            }
            let Some(retraction) = &block.retraction else { continue };
            let mut moved = self.body();
            let leaf = |vector: u32, k: u32| {
                if vector == 0 { format!("point_number({}u)", start + k as usize) } else { step(k as usize) }
            };
            let outputs = moved.program(&retraction.plus, leaf, |_| unreachable!("x ⊞ δ has no data"))?;
            for (k, output) in outputs.iter().enumerate() {
                moved.line(format!("own_trial[{}] = {output};", start + k));
            }
            statements += moved.statements;
            let _ = writeln!(text, "fn move_block_{b}() {{\n{}}}\n", moved.text);
            body.line(format!("move_block_{b}();"));
        }
        // −gᵀδ − ½ δᵀJᵀJδ.
        for i in 0..self.size() {
            let mut sum = body.name("g", &self.gradient_place(i));
            for j in 0..=i {
                let h = body.name("h", &self.square_place(packed(i, j)));
                let mut product = body.apply(Op::Mul, &[&h, &format!("own_step[{j}]")]);
                if i == j {
                    product = body.scaled(0.5, &product)?;
                }
                sum = body.apply(Op::Add, &[&sum, &product]);
            }
            body.line(format!("let d{i} = wide(own_step[{i}]);"));
            body.line(format!("own_promised = sub_s(own_promised, mul_s(d{i}, wide({sum})));"));
            body.line(format!("own_step_square = add_s(own_step_square, mul_s(d{i}, d{i}));"));
        }
        if self.shape.bounded {
            text += CUT;
        }
        let _ = writeln!(text, "fn move_component() {{\n{}}}\n", body.text);
        Ok((statements + body.statements, text))
    }

    /// Cost, gradient and JᵀJ at the trial point.
    pub fn evaluate(&self) -> Result<Function, OutOfRange> {
        let (mut text, mut statements) = (String::new(), 0);
        let mut main = self.body();
        let zero = main.literal(0.0)?;
        main.line("own_squares = number_s(0.0f);");
        (0..self.size()).for_each(|k| main.line(format!("own_gradient[{k}] = {zero};")));
        (0..packed_len(self.size())).for_each(|k| main.line(format!("own_square[{k}] = {zero};")));
        for (index, kind) in self.shape.kinds.iter().enumerate() {
            let kernel = self.kernels[kind.group];
            let mut body = self.body();
            self.name_fixed(&mut body, index, kind);
            let outputs = self.program(&mut body, index, kind, kernel, &kernel.linearization.program)?;
            let (residuals, stored) = outputs.split_at(kernel.residuals());
            if kernel.objective.is_none() {
                add_squares(&mut body, residuals);
            }
            self.add_rows(&mut body, kind, &kernel.linearization.entries, residuals, stored)?;
            statements += body.statements;
            let _ = writeln!(text, "fn add_kind_{index}(i: u32) {{\n{}}}\n", body.text);
            if let Some(objective) = &kernel.objective {
                let mut body = self.body();
                self.name_fixed(&mut body, index, kind);
                let outputs = self.program(&mut body, index, kind, kernel, objective)?;
                add_squares(&mut body, &outputs);
                statements += body.statements;
                let _ = writeln!(text, "fn add_cost_{index}(i: u32) {{\n{}}}\n", body.text);
            }
            main.line(format!("let first{index} = indices[own_place({}u)];", 2 * index));
            main.line(format!("let end{index} = first{index} + indices[own_place({}u)];", 2 * index + 1));
            main.line(format!("for (var i = first{index}; i < end{index}; i++) {{"));
            main.line(format!("    add_kind_{index}(i);"));
            if kernel.objective.is_some() {
                main.line(format!("    add_cost_{index}(i);"));
            }
            main.line("}");
        }
        let _ = writeln!(text, "fn evaluate_component() {{\n{}}}\n", main.text);
        Ok((statements + main.statements, text))
    }

    /// Names where the fixed blocks of an instance begin among the fixed numbers.
    fn name_fixed(&self, body: &mut Body, index: usize, kind: &OwnKind) {
        let fixed = (0..kind.blocks.len()).filter(|&slot| kind.blocks[slot].is_none());
        for (column, slot) in fixed.enumerate() {
            body.line(format!(
                "let b{slot} = indices[plan.kinds[{index}].fixed_blocks + {column}u * plan.kinds[{index}].stride + i];"
            ));
        }
    }

    fn program(
        &self,
        body: &mut Body,
        index: usize,
        kind: &OwnKind,
        kernel: &Kernel,
        program: &Program,
    ) -> Result<Vec<String>, OutOfRange> {
        let columns = data_columns(kernel);
        let place = |column: u32| columns.iter().position(|&c| c == column).unwrap_or_default();
        body.program(
            program,
            |slot, component| match kind.blocks[slot as usize] {
                Some(block) => format!("own_trial[{}]", self.starts[block] + component as usize),
                None => format!("data[b{slot} + {component}u]"),
            },
            |column| format!("data[plan.kinds[{index}].data + {}u * plan.kinds[{index}].stride + i]", place(column)),
        )
    }

    /// Adds the rows of J of an instance to the normal equations.
    fn add_rows(
        &self,
        body: &mut Body,
        kind: &OwnKind,
        entries: &[JacobianEntry],
        residuals: &[String],
        stored: &[String],
    ) -> Result<(), OutOfRange> {
        let add = |body: &mut Body, place: String, term: &str| {
            let sum = self.formats.real.operation(Op::Add, &[&place, term]);
            body.line(format!("{place} = {sum};"));
        };
        for row in entries.chunk_by(|a, b| a.residual == b.residual) {
            let mut columns: Vec<(usize, String)> = Vec::new();
            for entry in row {
                let block = kind.blocks[entry.block as usize];
                let Some(column) = block.and_then(|b| self.shape.blocks[b].columns[entry.component as usize]) else {
                    continue;
                };
                let number = match entry.stored {
                    Some(k) => body.scaled(entry.factor, &stored[k as usize])?,
                    None => body.literal(entry.factor)?,
                };
                columns.push((column, number));
            }
            let residual = row.first().map(|entry| &residuals[entry.residual as usize]);
            for (k, (a, left)) in columns.iter().enumerate() {
                let residual = residual.expect("a column is of an entry");
                let term = body.apply(Op::Mul, &[left, residual]);
                add(body, format!("own_gradient[{a}]"), &term);
                for (b, right) in &columns[..=k] {
                    let term = body.apply(Op::Mul, &[left, right]);
                    add(body, format!("own_square[{}]", packed(*a.max(b), *a.min(b))), &term);
                }
            }
        }
        Ok(())
    }

    /// Scales of the columns, from the first point.
    pub fn scale(&self) -> Function {
        let mut body = self.body();
        for k in 0..self.size() {
            body.line(format!("{} = own_scale_square(own_square[{}]);", self.scale_place(k), packed(k, k)));
        }
        (body.statements, format!("fn scale_component() {{\n{}}}\n", body.text))
    }

    /// Keeps the trial point and its normal equations.
    pub fn keep(&self) -> Function {
        let mut body = self.body();
        for k in 0..self.shape.ambient() {
            body.line(format!("x[own_place({k}u)] = own_trial[{k}];"));
        }
        for k in 0..packed_len(self.size()) {
            body.line(format!("{} = own_square[{k}];", self.square_place(k)));
        }
        for k in 0..self.size() {
            body.line(format!("{} = own_gradient[{k}];", self.gradient_place(k)));
        }
        (body.statements, format!("fn keep_component() {{\n{}}}\n", body.text))
    }

    /// Whether derivatives at the trial point are finite: a sum over one that is not is not either.
    pub fn is_finite(&self) -> Function {
        let mut body = self.body();
        body.line("var finite = true;");
        for k in 0..self.size() {
            body.line(format!(
                "finite = finite && finite_r(own_gradient[{k}]) && finite_r(own_square[{}]);",
                packed(k, k)
            ));
        }
        (body.statements, format!("fn is_finite_component() -> bool {{\n{}    return finite;\n}}\n", body.text))
    }

    /// Whether the gradient at the trial point, but for what leads out of the box, is within the tolerance.
    pub fn is_flat(&self) -> Function {
        let mut body = self.body();
        let places = self.place_of_column();
        body.line("var most = number_r(0.0f);");
        for (k, place) in places.iter().enumerate() {
            let steepness = match place {
                Some(place) if self.shape.bounded => {
                    format!("abs_r(own_projected({k}u, own_trial[{place}], own_gradient[{k}]))")
                }
                _ => format!("abs_r(own_gradient[{k}])"),
            };
            let size = body.name("t", &steepness);
            body.line(format!("if (less_r(most, {size})) {{ most = {size}; }}"));
        }
        let end = "    return !less_r(number_r(solve.gradient_tolerance), most);\n";
        (body.statements, format!("fn is_flat_component() -> bool {{\n{}{end}}}\n", body.text))
    }

    /// Whether the gradient at the trial point is shorter than the one before, by its own rounding and more.
    pub fn is_steeper_before(&self) -> Function {
        let mut body = self.body();
        body.line("var before = number_s(0.0f);");
        body.line("var after = number_s(0.0f);");
        for k in 0..self.size() {
            body.line(format!("let h{k} = wide({});", self.square_place(packed(k, k))));
            body.line(format!("let g{k} = wide({});", self.gradient_place(k)));
            body.line(format!("let t{k} = wide(own_gradient[{k}]);"));
            body.line(format!("if (less_s(number_s(0.0f), h{k})) {{"));
            body.line(format!("    before = add_s(before, div_s(mul_s(g{k}, g{k}), h{k}));"));
            body.line(format!("    after = add_s(after, div_s(mul_s(t{k}, t{k}), h{k}));"));
            body.line("}");
        }
        let end = "    return less_s(after, mul_s(number_s(solve.polished), before));\n";
        (body.statements, format!("fn is_steeper_before() -> bool {{\n{}{end}}}\n", body.text))
    }
}

const CUT: &str = "// A component of the step, shortened if it leads out of the box.
fn cut_step(there: R, inside: R, from_here: R, k: u32) -> R {
    if (less_r(there, inside) || less_r(inside, there)) { return sub_r(inside, from_here); }
    return own_step[k];
}

";

/// Adds up the squares that make the cost.
fn add_squares(body: &mut Body, residuals: &[String]) {
    for residual in residuals {
        body.line(format!("own_squares = add_s(own_squares, mul_s(wide({residual}), wide({residual})));"));
    }
}
