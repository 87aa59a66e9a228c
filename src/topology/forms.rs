//! Canonical forms by recording, for the life of the process: whoever states one problem often states many, and the second need not be
//! brought into canonical form again.

use super::canonical::canonicalize;
use super::{Expression, Topology};
use rustc_hash::FxHashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// A canonical form, and where its leaves were in the recording.
#[derive(Debug)]
pub(super) struct Form {
    pub topology: Topology,
    /// Recorded block behind each canonical block.
    pub blocks: Vec<u32>,
    /// Recorded datum behind each canonical one.
    pub data: Vec<u32>,
}

/// The cache is emptied when it holds this many forms: a process that records new ones for ever must not grow for ever.
const KEPT: usize = 1024;
/// Longer recordings, in words, are not kept.
const LONGEST: usize = 1 << 16;

/// Recordings in words, by their hash.
type Forms = FxHashMap<u128, Vec<(Box<[u32]>, Arc<Form>)>>;

static FORMS: LazyLock<Mutex<(Forms, usize)>> = LazyLock::new(Mutex::default);

/// The form of a recording, which encoded is these words with this hash.
pub(super) fn form(recorded: &Expression, words: &[u32], hash: u128) -> Arc<Form> {
    let forms = || FORMS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = forms().0.get(&hash).and_then(|known| known.iter().find(|(other, _)| **other == *words).cloned());
    if let Some((_, form)) = known {
        return form;
    }
    // Not under the lock: two threads may find the same form, and nothing is wrong then.
    let canonical = canonicalize(recorded);
    let topology = Topology { hash: canonical.expression.hash(), expression: Arc::new(canonical.expression) };
    let form = Arc::new(Form { topology, blocks: canonical.blocks, data: canonical.data });
    if words.len() <= LONGEST {
        let (forms, count) = &mut *forms();
        if *count >= KEPT {
            (*forms, *count) = Default::default();
        }
        forms.entry(hash).or_default().push((words.into(), form.clone()));
        *count += 1;
    }
    form
}
