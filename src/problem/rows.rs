//! Tables of rows of one width: the blocks and the data of a batch.

use super::ProblemError;

/// A table with rows of one width: `[[T; N]]`, or a [`Table`] where the width is known only at run time.
pub trait Rows<T> {
    /// Number of rows; `None` if the table does not say (no data at all).
    fn rows(&self) -> Option<usize>;
    /// Entries a row.
    fn width(&self) -> usize;
    /// The entries of a row.
    fn row(&self, row: usize) -> &[T];
    /// Checks that the rows are whole.
    ///
    /// # Errors
    /// [`ProblemError::RaggedTable`].
    fn check(&self) -> Result<(), ProblemError> {
        Ok(())
    }
}

impl<T, R: Rows<T> + ?Sized> Rows<T> for &R {
    fn rows(&self) -> Option<usize> {
        (**self).rows()
    }

    fn width(&self) -> usize {
        (**self).width()
    }

    fn row(&self, row: usize) -> &[T] {
        (**self).row(row)
    }

    fn check(&self) -> Result<(), ProblemError> {
        (**self).check()
    }
}

impl<T, const N: usize> Rows<T> for [[T; N]] {
    fn rows(&self) -> Option<usize> {
        Some(self.len())
    }

    fn width(&self) -> usize {
        N
    }

    fn row(&self, row: usize) -> &[T] {
        &self[row]
    }
}

impl<T, const N: usize> Rows<T> for Vec<[T; N]> {
    fn rows(&self) -> Option<usize> {
        Some(self.len())
    }

    fn width(&self) -> usize {
        N
    }

    fn row(&self, row: usize) -> &[T] {
        &self[row]
    }
}

impl<T, const N: usize, const M: usize> Rows<T> for [[T; N]; M] {
    fn rows(&self) -> Option<usize> {
        Some(M)
    }

    fn width(&self) -> usize {
        N
    }

    fn row(&self, row: usize) -> &[T] {
        &self[row]
    }
}

/// No data: as many empty rows as needed.
impl<T> Rows<T> for () {
    fn rows(&self) -> Option<usize> {
        None
    }

    fn width(&self) -> usize {
        0
    }

    fn row(&self, _: usize) -> &[T] {
        &[]
    }
}

/// Rows one after the other in a flat list.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a, T> {
    /// Entries a row.
    pub width: usize,
    /// The entries, row by row.
    pub entries: &'a [T],
}

impl<T> Rows<T> for Table<'_, T> {
    fn rows(&self) -> Option<usize> {
        Some(self.entries.len() / self.width.max(1))
    }

    fn width(&self) -> usize {
        self.width
    }

    fn row(&self, row: usize) -> &[T] {
        &self.entries[row * self.width..(row + 1) * self.width]
    }

    fn check(&self) -> Result<(), ProblemError> {
        if self.width > 0 && self.entries.len().is_multiple_of(self.width) {
            Ok(())
        } else {
            Err(ProblemError::RaggedTable { length: self.entries.len(), width: self.width })
        }
    }
}
