//! Residual blocks by template: traced once for any number of instances.

use super::{BlockId, Problem, ProblemError, Rows};
use crate::Value;
use crate::backend::{Column, InstanceTable, cpu::evaluate_code};
use crate::kernel::LaneCode;
use crate::program::Program;
use crate::topology::{Blocks, Expression, Residuals};
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;
use web_time::Instant;

impl Problem {
    /// Adds a residual block for each row of `blocks` and `data`, which `function` receives as values; pass `&()` for no data.
    ///
    /// The function is called for three rows (first, middle and last) to see that it traces to one expression, whatever the
    /// number of rows. Where it compares values, the comparison is evaluated for every row at the present parameters, and must
    /// come out as in the first. Constants in the function are the same for all rows. Returns the indices of the residual blocks.
    ///
    /// # Errors
    /// As [`Problem::add_residual`]; also if rows do not match in number or block sizes, data are not finite, or the function is
    /// no template. Then nothing is added.
    pub fn add_residual_batch<R: Residuals>(
        &mut self,
        blocks: &(impl Rows<BlockId> + ?Sized),
        data: &(impl Rows<f64> + ?Sized),
        function: impl Fn(Blocks<'_>, &[Value]) -> R,
    ) -> Result<Range<usize>, ProblemError> {
        self.add_batch(&blocks, &data, &|x, data| {
            let mut residuals = Vec::new();
            function(x, data).append_to(&mut residuals);
            residuals
        })
    }

    /// Compiled once for all functions and tables.
    fn add_batch(
        &mut self,
        blocks: &dyn Rows<BlockId>,
        data: &dyn Rows<f64>,
        function: &dyn Fn(Blocks<'_>, &[Value]) -> Vec<Value>,
    ) -> Result<Range<usize>, ProblemError> {
        let start = Instant::now();
        blocks.check()?;
        data.check()?;
        let rows = blocks.rows().unwrap_or(0);
        if let Some(found) = data.rows()
            && found != rows
        {
            return Err(ProblemError::RowCount { indices: rows, data: found });
        }
        let first_block = self.residual_blocks;
        if rows == 0 {
            return Ok(first_block..first_block);
        }
        self.check_rows(blocks, data, rows)?;

        let trace = |problem: &mut Problem, row: usize| {
            problem.record(first_block + row, blocks.row(row), data.row(row), function)
        };
        let placement = trace(self, 0)?;
        let constants = std::mem::take(&mut self.tracer.data);
        let guards = (std::mem::take(&mut self.tracer.guards), std::mem::take(&mut self.tracer.guard_data));
        let width = self.tracer.primals.len();
        for row in [rows / 2, rows - 1] {
            // One recording has one placement.
            let same_expression = Arc::ptr_eq(&trace(self, row)?, &placement);
            let found = self.tracer.primals.len();
            if found != width {
                return Err(ProblemError::ResidualCount { residual_block: first_block + row, expected: width, found });
            }
            // One expression has as many data.
            let mut pairs = self.tracer.data.iter().zip(&constants).skip(data.width());
            if !same_expression || pairs.any(|(found, constant)| found.to_bits() != constant.to_bits()) {
                return Err(ProblemError::TemplateDiverges { row });
            }
        }
        self.check_guards(&guards.0, &guards.1, blocks, data, rows)?;
        self.check_room(rows, width)?;

        self.kept.clear();
        let group = self.group(&placement);
        let offsets = self.parameters.offsets();
        let (table, residual_blocks) = self.groups[group].open();
        for (column, &argument) in table.blocks.iter_mut().zip(&placement.blocks) {
            column.reserve_exact(rows);
            column.extend((0..rows).map(|row| offsets[blocks.row(row)[argument as usize].index()]));
        }
        let datum = |row: usize, k: u32| match data.row(row).get(k as usize) {
            Some(&number) => number,
            None => constants[k as usize],
        };
        if table.count == 0 {
            table.data = placement.data.iter().map(|&k| Column::Uniform(datum(0, k))).collect();
        }
        for (column, &k) in table.data.iter_mut().zip(&placement.data) {
            column.extend(table.count, (0..rows).map(|row| datum(row, k)));
        }
        table.count += rows;
        residual_blocks.extend(first_block as u32..(first_block + rows) as u32);
        self.residual_blocks += rows;
        self.residuals += rows * width;
        self.trace_time += start.elapsed();
        Ok(first_block..first_block + rows)
    }

    fn check_rows(&self, blocks: &dyn Rows<BlockId>, data: &dyn Rows<f64>, rows: usize) -> Result<(), ProblemError> {
        for row in 0..rows {
            self.check_blocks(self.residual_blocks + row, blocks.row(row))?;
            for (argument, (&first, &block)) in blocks.row(0).iter().zip(blocks.row(row)).enumerate() {
                let (expected, found) = (self.parameters.size(first.index()), self.parameters.size(block.index()));
                if found != expected {
                    return Err(ProblemError::BlockSize { row, argument, expected, found });
                }
            }
            if let Some(column) = data.row(row).iter().position(|d| !d.is_finite()) {
                return Err(ProblemError::NonFiniteData { row, column, value: data.row(row)[column] });
            }
        }
        Ok(())
    }

    /// Checks that every comparison the function made comes out alike in all rows.
    fn check_guards(
        &self,
        guards: &Expression,
        guard_data: &[f64],
        blocks: &dyn Rows<BlockId>,
        data: &dyn Rows<f64>,
        rows: usize,
    ) -> Result<(), ProblemError> {
        if guards.outputs.is_empty() {
            return Ok(());
        }
        let offsets = self.parameters.offsets();
        let starts = |k: usize| (0..rows).map(|row| offsets[blocks.row(row)[k].index()]).collect();
        let column = |k: usize| match data.row(0).get(k) {
            Some(_) => Column::Varying((0..rows).map(|row| data.row(row)[k]).collect()),
            None => Column::Uniform(guard_data[k]),
        };
        let table = InstanceTable {
            count: rows,
            blocks: (0..blocks.width()).map(starts).collect(),
            data: (0..guard_data.len()).map(column).collect(),
        };
        let code = LaneCode::new(&Program::new(guards, &[]));
        let operands = evaluate_code(&code, &table, self.parameters.values());
        let outcome = |row: usize| -> Vec<Option<Ordering>> {
            let operands = &operands[row * code.outputs.len()..(row + 1) * code.outputs.len()];
            operands.chunks(2).map(|pair| pair[0].partial_cmp(&pair[1])).collect()
        };
        let expected = outcome(0);
        match (1..rows).find(|&row| outcome(row) != expected) {
            Some(row) => Err(ProblemError::TemplateDiverges { row }),
            None => Ok(()),
        }
    }
}
