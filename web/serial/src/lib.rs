//! What isograd uses of [rayon](https://docs.rs/rayon) and [pulp](https://docs.rs/pulp) under their names, with everything done one after
//! the other and for the one instruction set that it is compiled for.
//!
//! Both run in a browser too. But rayon finds no threads there, and its queues and registries are a tenth of the module that has to be
//! loaded; and of the two copies of each loop between which pulp chooses, one is never run.

/// What `rayon::prelude` has.
pub mod prelude {
    pub use super::{IntoParallelIterator, ParallelExtend, ParallelSlice, ParallelSliceMut};
}

/// A plain iterator with those methods of a parallel one that are called or work otherwise.
pub struct Serial<I>(I);

impl<I: Iterator> Iterator for Serial<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }

    fn fold<B, F: FnMut(B, I::Item) -> B>(self, first: B, step: F) -> B {
        self.0.fold(first, step)
    }
}

impl<I: Iterator> Serial<I> {
    /// Nothing is split.
    pub fn with_min_len(self, _: usize) -> Self {
        self
    }

    /// As of any iterator.
    pub fn map<T, F: FnMut(I::Item) -> T>(self, function: F) -> Serial<std::iter::Map<I, F>> {
        Serial(self.0.map(function))
    }

    /// As of any iterator.
    pub fn zip<J: IntoIterator>(self, other: J) -> Serial<std::iter::Zip<I, J::IntoIter>> {
        Serial(self.0.zip(other))
    }

    /// As of any iterator.
    pub fn enumerate(self) -> Serial<std::iter::Enumerate<I>> {
        Serial(self.0.enumerate())
    }

    /// The results of all.
    pub fn flat_map_iter<J: IntoIterator, F: FnMut(I::Item) -> J>(
        self,
        function: F,
    ) -> Serial<std::iter::FlatMap<I, J, F>> {
        Serial(self.0.flat_map(function))
    }

    /// Calls the function with every item and one state.
    pub fn for_each_init<S>(self, state: impl FnOnce() -> S, mut function: impl FnMut(&mut S, I::Item)) {
        let mut state = state();
        self.0.for_each(|item| function(&mut state, item));
    }

    /// Maps with a state, of which there is one.
    pub fn map_init<S, T>(
        self,
        state: impl FnOnce() -> S,
        mut function: impl FnMut(&mut S, I::Item) -> T,
    ) -> Serial<impl Iterator<Item = T>> {
        let mut state = state();
        Serial(self.0.map(move |item| function(&mut state, item)))
    }

    /// All in one, from what `identity` gives on.
    pub fn reduce(self, identity: impl FnOnce() -> I::Item, step: impl FnMut(I::Item, I::Item) -> I::Item) -> I::Item {
        self.0.fold(identity(), step)
    }

    /// The first there is.
    pub fn find_map_any<T>(mut self, function: impl FnMut(I::Item) -> Option<T>) -> Option<T> {
        self.0.find_map(function)
    }
}

/// Iterators by value.
pub trait IntoParallelIterator: IntoIterator + Sized {
    /// The plain iterator.
    fn into_par_iter(self) -> Serial<Self::IntoIter> {
        Serial(self.into_iter())
    }
}

impl<I: IntoIterator> IntoParallelIterator for I {}

/// Iterators over a slice.
pub trait ParallelSlice<T> {
    /// The slice.
    fn as_parallel_slice(&self) -> &[T];

    /// Of elements.
    fn par_iter(&self) -> Serial<std::slice::Iter<'_, T>> {
        Serial(self.as_parallel_slice().iter())
    }

    /// Of pieces.
    fn par_chunks(&self, size: usize) -> Serial<std::slice::Chunks<'_, T>> {
        Serial(self.as_parallel_slice().chunks(size))
    }

    /// Of pieces of one size.
    fn par_chunks_exact(&self, size: usize) -> Serial<std::slice::ChunksExact<'_, T>> {
        Serial(self.as_parallel_slice().chunks_exact(size))
    }
}

impl<T> ParallelSlice<T> for [T] {
    fn as_parallel_slice(&self) -> &[T] {
        self
    }
}

/// The same for writing.
pub trait ParallelSliceMut<T> {
    /// The slice.
    fn as_parallel_slice_mut(&mut self) -> &mut [T];

    /// Of elements.
    fn par_iter_mut(&mut self) -> Serial<std::slice::IterMut<'_, T>> {
        Serial(self.as_parallel_slice_mut().iter_mut())
    }

    /// Of pieces.
    fn par_chunks_mut(&mut self, size: usize) -> Serial<std::slice::ChunksMut<'_, T>> {
        Serial(self.as_parallel_slice_mut().chunks_mut(size))
    }

    /// Of pieces of one size.
    fn par_chunks_exact_mut(&mut self, size: usize) -> Serial<std::slice::ChunksExactMut<'_, T>> {
        Serial(self.as_parallel_slice_mut().chunks_exact_mut(size))
    }

    /// Sorts, equal elements in any order.
    fn par_sort_unstable(&mut self)
    where
        T: Ord,
    {
        self.as_parallel_slice_mut().sort_unstable();
    }

    /// Sorts by a key, equal elements in the order they have.
    fn par_sort_by_key<K: Ord>(&mut self, key: impl FnMut(&T) -> K) {
        self.as_parallel_slice_mut().sort_by_key(key);
    }
}

impl<T> ParallelSliceMut<T> for [T] {
    fn as_parallel_slice_mut(&mut self) -> &mut [T] {
        self
    }
}

/// Collections that grow.
pub trait ParallelExtend<T>: Extend<T> {
    /// Appends.
    fn par_extend(&mut self, items: impl IntoIterator<Item = T>) {
        self.extend(items);
    }
}

impl<T, C: Extend<T>> ParallelExtend<T> for C {}

/// The first, then the second.
pub fn join<A, B>(first: impl FnOnce() -> A, second: impl FnOnce() -> B) -> (A, B) {
    (first(), second())
}

/// At once.
pub fn spawn(function: impl FnOnce()) {
    function();
}

/// The one that is there.
pub fn current_num_threads() -> usize {
    1
}

pub use pulp::{Simd, WithSimd};

/// The instruction set that everything is compiled for.
pub struct Arch;

impl Arch {
    /// There is nothing to find out.
    #[expect(clippy::new_without_default, reason = "a name of pulp's, and no more than that")]
    #[inline(always)]
    pub fn new() -> Self {
        Arch
    }

    /// Runs loops.
    #[inline(always)]
    pub fn dispatch<Op: WithSimd>(self, loops: Op) -> Op::Output {
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        if let Some(simd) = pulp::wasm::Simd128::try_new() {
            return Simd::vectorize(simd, loops);
        } else {
            unreachable!("a module with SIMD would not have been loaded");
        }
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        Simd::vectorize(pulp::Scalar, loops)
    }
}

impl std::fmt::Debug for Arch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("WebAssembly")
    }
}
