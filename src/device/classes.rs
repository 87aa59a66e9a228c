//! Parameter blocks by size, and the lists of the instances that touch them.
//!
//! Sums over the instances that touch a parameter block follow an [incidence list](super::lists), whose entries tell instance and
//! [kind](crate::kernel::wgsl::Kind) by one number. Blocks of one size form a [class](crate::kernel::wgsl::Class), and each class
//! has code of its own.

#[cfg(not(target_arch = "wasm32"))]
use super::counting::Touch;
use super::elimination::Eliminated;
use super::incidence::Incidence;
use super::layout::Layout;
#[cfg(not(target_arch = "wasm32"))]
use super::listing::Listed;
use super::lists::{Lists, Numbers};
use super::pieces::{Piece, Pieces};
#[cfg(not(target_arch = "wasm32"))]
use super::plans::GroupPlace;
use super::plans::{ClassPlace, KindPlace};
use super::shard::Shard;
use crate::backend::Group;
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Class, Derivative, InverseRows, Kind, MOST_COMPONENTS, Part, WORKGROUP};
#[cfg(not(target_arch = "wasm32"))]
use crate::problem::Parameters;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Instances of a block that a lane takes, about: a lane waits for memory at each of them.
const INSTANCES_A_LANE: u32 = 4;

/// Most workgroups over the blocks of a class.
const MOST_CLASS_WORKGROUPS: u32 = 1024;

/// The same where each takes a block at a time, which is long: if some took two of them and others one, all would wait for the former.
const MOST_LONG_WORKGROUPS: u32 = 4096;

/// Blocks from which there are lanes enough with one a block: more of them only wait for each other.
pub const MANY_BLOCKS: u32 = 1 << 14;

/// Pieces that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// The classes of a problem, and the lists of each shard.
pub struct Classes {
    /// Their code.
    pub code: Vec<Class>,
    /// One a class.
    pub places: Vec<ClassPlace>,
    /// The class of each piece.
    pub of_pieces: Vec<u8>,
    /// Of each shard, where the instances of kinds stand, class by class.
    pub kinds: Vec<Vec<KindPlace>>,
    /// One a shard; none where the device makes them.
    pub lists: Vec<Lists>,
    /// Numbers in the packed diagonals.
    pub diagonal: usize,
}

/// A group and one of the pieces of blocks that its instances touch.
type Touching<'a> = (usize, &'a Part);

impl Classes {
    /// `eliminated`: the blocks to eliminate, if there are any.
    pub fn new(groups: &[Group], layout: &Layout, pieces: &Pieces, eliminated: Option<&Eliminated>) -> Self {
        let incidences = layout.shards.iter().map(|shard| shard.incidence(&layout.shapes, pieces));
        let incidences: Vec<Incidence> = incidences.collect();
        let counts: Vec<Vec<u32>> = incidences.iter().map(Incidence::counts).collect();
        let (code, of_pieces) = sort(&pieces.all, &total(&counts), eliminated, layout.shards.len() == 1);
        let mut classes =
            Classes { code, places: Vec::new(), of_pieces, kinds: Vec::new(), lists: Vec::new(), diagonal: 0 };
        let touching = touching(layout);
        let met = |classes: &Self, touching: Touching<'_>, several| {
            met_classes(layout, pieces, &classes.of_pieces, touching, several)
        };
        let kinds = classes.find_kinds(groups, &touching, met);
        for ((shard, incidence), counts) in layout.shards.iter().zip(incidences).zip(counts) {
            let (places, bases) = classes.place_kinds(shard);
            let numbers = kinds.iter().map(|kinds| {
                let base = |(class, kind): (usize, &Option<usize>)| kind.map_or(0, |kind| bases[class][kind]);
                Numbers { bases: kinds.iter().enumerate().map(base).collect(), step: 1 }
            });
            let sorts = (&classes.of_pieces[..], classes.code.len());
            classes.lists.push(Lists::new(incidence, counts, sorts, numbers.collect()));
            classes.kinds.push(places);
        }
        let tables: Vec<(u32, u32)> = classes.lists[0].tables().collect();
        classes.place(&tables);
        classes
    }

    /// The same without lists, for many pieces of one size that few instances touch; what goes into the lists too.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn of_short_lists(groups: &[Group], layout: &Layout, pieces: &Pieces, size: usize) -> (Self, Vec<Listed>) {
        debug_assert!(pieces.len() >= MANY_BLOCKS as usize, "a lane takes several");
        let code = vec![Class { size, lanes: 1, kinds: Vec::new(), eliminated: false, one_shard: true }];
        let of_pieces = vec![0; pieces.len()];
        let mut classes =
            Classes { code, places: Vec::new(), of_pieces, kinds: Vec::new(), lists: Vec::new(), diagonal: 0 };
        let touching = touching(layout);
        let met = |_: &Self, (group, part): Touching<'_>, _| {
            let starts = layout.starts(&groups[group], part.block);
            let instances = (0..groups[group].table.count).into_par_iter().with_min_len(STRETCH);
            u32::from(instances.map(starts).find_map_any(|start| pieces.first(start)).is_some())
        };
        let kinds = classes.find_kinds(groups, &touching, met);
        let shard = &layout.shards[0];
        let (places, bases) = classes.place_kinds(shard);
        let listed = touching.iter().zip(kinds).filter_map(|(&(group, part), kinds)| {
            let GroupPlace { count, blocks, stride, .. } = shard.groups[group];
            kinds[0].map(|kind| Listed {
                group,
                block: part.block,
                touch: Touch { column: blocks + part.block * stride, count, base: bases[0][kind] },
            })
        });
        let listed = listed.collect();
        classes.kinds.push(places);
        classes.place(&[(0, pieces.len() as u32)]);
        (classes, listed)
    }

    /// The code of the classes as it most likely comes out, where all blocks are of one size: none is eliminated, and all have about as many instances. That
    /// is known without looking at any, so that kernels can compile before anything is in order.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn expected(groups: &[Group], parameters: &Parameters) -> Option<Vec<Class>> {
        let size = parameters.common_size().filter(|&size| size <= MOST_COMPONENTS && !parameters.has_manifolds())?;
        let (mut kinds, mut instances) = (Vec::new(), 0);
        for (group, Group { kernel, table, .. }) in groups.iter().enumerate() {
            for part in wgsl::parts(kernel) {
                number_of(&mut kinds, Kind { group, derivatives: derivatives(kernel, &part), own: None });
                instances += table.count;
            }
        }
        let blocks = parameters.blocks();
        let lanes = lanes_for(((instances + blocks / 2) / blocks) as u32, blocks as u32);
        Some(vec![Class { size, lanes, kinds, eliminated: false, one_shard: true }])
    }

    /// What is known of them without their lists.
    pub fn without_lists(&self) -> Self {
        Classes {
            code: self.code.clone(),
            places: self.places.clone(),
            of_pieces: Vec::new(),
            kinds: self.kinds.clone(),
            lists: Vec::new(),
            diagonal: self.diagonal,
        }
    }

    /// Finds the kinds of every class, where `met` tells the classes that a group meets in a piece, as bits, and what is asked for besides is whether there
    /// is more than one of its size; returns, for each touching and class, the number of the kind.
    fn find_kinds(
        &mut self,
        groups: &[Group],
        touching: &[Touching<'_>],
        met: impl Fn(&Self, Touching<'_>, bool) -> u32,
    ) -> Vec<Vec<Option<usize>>> {
        let eliminates = self.code.iter().any(|class| class.eliminated);
        let touching = touching.iter().map(|&(group, part)| {
            let candidates = (0..self.code.len()).filter(|&class| self.code[class].size == part.size as usize);
            let met = met(self, (group, part), candidates.count() > 1);
            let derivatives = derivatives(&groups[group].kernel, part);
            let number = |(class, code): (usize, &mut Class)| {
                let own = eliminates.then_some((part.block, part.component));
                let kind = || Kind { group, derivatives: derivatives.clone(), own };
                (met & 1 << class != 0).then(|| number_of(&mut code.kinds, kind()))
            };
            self.code.iter_mut().enumerate().map(number).collect()
        });
        touching.collect()
    }

    /// Where the kinds of a shard begin in incidence lists; the same by class and number.
    fn place_kinds(&self, shard: &Shard) -> (Vec<KindPlace>, Vec<Vec<u32>>) {
        let mut places = Vec::new();
        let bases = self.code.iter().map(|class| {
            let mut end = 0;
            let base = |kind: &Kind| {
                let group = &shard.groups[kind.group];
                let base = end;
                end += group.count;
                places.push(KindPlace { base, group: *group });
                base
            };
            class.kinds.iter().map(base).collect()
        });
        let bases = bases.collect();
        (places, bases)
    }

    /// Places the classes, whose tables begin at the same places in every shard.
    fn place(&mut self, tables: &[(u32, u32)]) {
        for (class, &(table, count)) in self.code.iter().zip(tables) {
            let teams = count.div_ceil(WORKGROUP / class.lanes);
            let most = if class.lanes == WORKGROUP { MOST_LONG_WORKGROUPS } else { MOST_CLASS_WORKGROUPS };
            self.places.push(ClassPlace {
                count,
                workgroups: count.div_ceil(WORKGROUP).min(MOST_CLASS_WORKGROUPS),
                list_workgroups: teams.min(most),
                teams,
                table,
                diagonal: self.diagonal as u32,
            });
            self.diagonal += count as usize * wgsl::packed_len(class.size);
        }
    }

    /// All classes.
    pub fn all(&self) -> Selection<'_> {
        self.select(|_| true)
    }

    /// The classes that are eliminated, or those that are not.
    pub fn part(&self, eliminated: bool) -> Selection<'_> {
        self.select(|class| class.eliminated == eliminated)
    }

    fn select(&self, is_in: impl Fn(&Class) -> bool) -> Selection<'_> {
        let ends = self.code.iter().scan(0, |end, class| {
            let first = *end;
            *end += class.kinds.len();
            Some(first..*end)
        });
        let kinds = ends.zip(&self.code).filter(|(_, class)| is_in(class)).map(|(kinds, _)| kinds).collect();
        let places = self.places.iter().zip(&self.code).filter(|(_, class)| is_in(class)).map(|(place, _)| *place);
        Selection {
            classes: self,
            code: self.code.iter().filter(|class| is_in(class)).cloned().collect(),
            places: places.collect(),
            kinds,
        }
    }

    /// How the inverses of eliminated blocks are written down for the preconditioner; `None` if no blocks are.
    pub fn inverse_rows(&self) -> Option<InverseRows> {
        let mut sizes: Vec<usize> = self.code.iter().filter(|class| class.eliminated).map(|class| class.size).collect();
        sizes.dedup();
        (!sizes.is_empty()).then_some(InverseRows { sizes })
    }

    /// Number of blocks that are eliminated.
    pub fn eliminated(&self) -> usize {
        let blocks = self.code.iter().zip(&self.places).filter(|(class, _)| class.eliminated);
        blocks.map(|(_, place)| place.count as usize).sum()
    }

    /// Workgroups over all classes: the number of partial sums over blocks.
    pub fn workgroups(&self) -> u32 {
        self.places.iter().map(|place| place.workgroups).sum()
    }

    /// Workgroups over all incidence lists.
    pub fn list_workgroups(&self) -> u32 {
        self.places.iter().map(|place| place.list_workgroups).sum()
    }

    /// Workgroups over the lists of the blocks that conjugate gradients work on: the number of partial sums of the curvature.
    pub fn curvature_workgroups(&self) -> u32 {
        self.part(false).list_workgroups()
    }
}

/// Some of the classes.
pub struct Selection<'a> {
    classes: &'a Classes,
    /// Their code.
    pub code: Vec<Class>,
    /// One a class.
    pub places: Vec<ClassPlace>,
    /// Of each class, its kinds among those of all.
    kinds: Vec<Range<usize>>,
}

impl Selection<'_> {
    /// With as many workgroups over the incidence lists as leave no lane a second block: for kernels without partial sums, which every
    /// workgroup of the next would have to add up.
    pub fn without_partial_sums(mut self) -> Self {
        self.places.iter_mut().for_each(|place| place.list_workgroups = place.teams);
        self
    }

    /// Their kinds in a shard.
    pub fn kinds(&self, shard: usize) -> impl Iterator<Item = &KindPlace> {
        let all = &self.classes.kinds[shard];
        self.kinds.iter().flat_map(|range| &all[range.clone()])
    }

    /// Shards.
    pub fn shards(&self) -> usize {
        self.classes.kinds.len()
    }

    /// Workgroups with a lane a block.
    pub fn workgroups(&self) -> u32 {
        self.places.iter().map(|place| place.workgroups).sum()
    }

    /// Workgroups over the incidence lists.
    pub fn list_workgroups(&self) -> u32 {
        self.places.iter().map(|place| place.list_workgroups).sum()
    }
}

/// All of them, group by group.
fn touching(layout: &Layout) -> Vec<Touching<'_>> {
    let shapes = layout.shapes.iter().enumerate();
    shapes.flat_map(|(group, shape)| shape.parts.iter().map(move |part| (group, part))).collect()
}

/// Entries over all shards.
fn total(counts: &[Vec<u32>]) -> Cow<'_, [u32]> {
    let mut total = Cow::Borrowed(&counts[0][..]);
    for counts in &counts[1..] {
        total.to_mut().iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    total
}

/// The classes without kinds, and the class of each piece. Pieces that would keep their lanes much longer than others get a
/// workgroup each.
fn sort(pieces: &[Piece], counts: &[u32], eliminated: Option<&Eliminated>, one_shard: bool) -> (Vec<Class>, Vec<u8>) {
    let lanes = typical_lanes(pieces, counts);
    let is_long = |piece: &Piece, count: u32| count > 8 * INSTANCES_A_LANE * lanes[usize::from(piece.size)];
    let is_eliminated = |k: usize, piece: &Piece| eliminated.is_some_and(|eliminated| eliminated.contains(k, piece));
    let sort_of = |(k, (piece, &count)): (usize, (&Piece, &u32))| {
        4 * piece.size + 2 * u8::from(is_eliminated(k, piece)) + u8::from(is_long(piece, count))
    };
    let mut sorts: Vec<u8> = pieces.par_iter().zip(counts).enumerate().with_min_len(STRETCH).map(sort_of).collect();
    let bits = |sorts: &[u8]| sorts.iter().fold(0u128, |bits, sort| bits | 1 << sort);
    let present = sorts.par_chunks(STRETCH).map(bits).reduce(|| 0, |a, b| a | b);
    let (mut classes, mut numbers) = (Vec::new(), [0; 4 * (MOST_COMPONENTS + 1)]);
    for sort in (0..numbers.len()).filter(|sort| present & 1 << sort != 0) {
        let size = sort / 4;
        numbers[sort] = classes.len() as u8;
        let lanes = if sort % 2 == 1 { WORKGROUP } else { lanes[size] };
        classes.push(Class { size, lanes, kinds: Vec::new(), eliminated: sort % 4 >= 2, one_shard });
    }
    let sorts_mut = sorts.par_chunks_mut(STRETCH);
    sorts_mut.for_each(|sorts| sorts.iter_mut().for_each(|sort| *sort = numbers[usize::from(*sort)]));
    (classes, sorts)
}

/// Lanes for the lists of pieces of each size, by their median length.
fn typical_lanes(pieces: &[Piece], counts: &[u32]) -> [u32; MOST_COMPONENTS + 1] {
    /// Longer lists have all lanes of a workgroup anyhow.
    const LONGEST: usize = (8 * INSTANCES_A_LANE * WORKGROUP) as usize;
    // How many lists of pieces of each size have each length.
    let lengths = |(pieces, counts): (&[Piece], &[u32])| {
        let mut lengths = vec![Vec::new(); MOST_COMPONENTS + 1];
        for (piece, &count) in pieces.iter().zip(counts) {
            add(&mut lengths[usize::from(piece.size)], (count as usize).min(LONGEST), 1);
        }
        lengths
    };
    let sum = |mut all: Vec<Vec<u32>>, part: Vec<Vec<u32>>| {
        for (all, part) in all.iter_mut().zip(part) {
            part.into_iter().enumerate().for_each(|(length, count)| add(all, length, count));
        }
        all
    };
    let parts = pieces.par_chunks(STRETCH).zip(counts.par_chunks(STRETCH)).map(lengths);
    let lengths = parts.reduce(|| vec![Vec::new(); MOST_COMPONENTS + 1], sum);
    let mut lanes = [1; MOST_COMPONENTS + 1];
    for (lanes, lengths) in lanes.iter_mut().zip(lengths) {
        let blocks: u32 = lengths.iter().sum();
        let mut below = 0;
        let median = lengths.iter().position(|count| {
            below += count;
            below > blocks / 2
        });
        *lanes = lanes_for(median.unwrap_or(0) as u32, blocks);
    }
    lanes
}

/// Lanes for lists of a length, of which there are so many.
fn lanes_for(length: u32, lists: u32) -> u32 {
    let a_lane = if lists >= MANY_BLOCKS { 8 * INSTANCES_A_LANE } else { INSTANCES_A_LANE };
    (length / a_lane).clamp(1, WORKGROUP).next_power_of_two().min(WORKGROUP)
}

/// Adds to a count, which may be beyond the end.
fn add(counts: &mut Vec<u32>, place: usize, count: u32) {
    if counts.len() <= place {
        counts.resize(place + 1, 0);
    }
    counts[place] += count;
}

/// The classes that the instances of a group meet in a piece of a block, as bits. `several`: there is more than one of its size.
fn met_classes(layout: &Layout, pieces: &Pieces, of_pieces: &[u8], (group, part): Touching<'_>, several: bool) -> u32 {
    let class_of = |start: u32| pieces.first(start).map(|first| 1 << of_pieces[first + part.piece as usize]);
    let columns = layout.shards.iter().map(|shard| shard.touch(group, part).column);
    let mut met = 0;
    for column in columns {
        let classes = column.par_iter().with_min_len(STRETCH);
        met |= match several {
            true => classes.map(|&start| class_of(start).unwrap_or(0)).reduce(|| 0, |a, b| a | b),
            false => classes.find_map_any(|&start| class_of(start)).unwrap_or(0),
        };
    }
    met
}

/// The number of a kind among others, which it joins if it is new.
pub(super) fn number_of<K: PartialEq>(kinds: &mut Vec<K>, kind: K) -> usize {
    kinds.iter().position(|other| *other == kind).unwrap_or_else(|| {
        kinds.push(kind);
        kinds.len() - 1
    })
}

/// The derivatives by the components of a piece, in the order of the linearization.
pub(super) fn derivatives(kernel: &Kernel, part: &Part) -> Vec<Derivative> {
    let range = part.component..part.component + part.size;
    let entries = kernel.linearization.entries.iter();
    let mine = entries.filter(|entry| entry.block == part.block && range.contains(&entry.component));
    mine.map(|entry| Derivative {
        residual: entry.residual,
        component: entry.component - part.component,
        factor: entry.factor,
        stored: entry.stored,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::layout::places;
    use super::super::shard::Sums;
    use super::*;
    use crate::kernel::wgsl::Format;
    use crate::mesh::energy::{Energy, MeshProblem};
    use crate::mesh::icosphere;
    use crate::problem::Problem;

    /// The code as it is expected, and as it comes out.
    fn both(problem: &Problem) -> (Option<Vec<Class>>, Vec<Class>) {
        let (compiled, parameters) = (problem.compile().unwrap(), problem.parameters());
        let (groups, order) = (&compiled.groups, compiled.block_order());
        let pieces = Pieces::new(parameters, order);
        let sums = (Sums::Lists, pieces.len());
        let layout = Layout::new(groups, places(parameters, order), sums, Format::F32, u64::MAX).unwrap();
        (Classes::expected(groups, parameters), Classes::new(groups, &layout, &pieces, None).code)
    }

    #[test]
    fn classes_of_meshes_are_as_expected() {
        for energy in [Energy::Smooth, Energy::Stretch, Energy::Arap] {
            for level in [1, 3, 6] {
                let mesh = MeshProblem::new(energy, &icosphere(level).unwrap()).unwrap();
                let (expected, found) = both(&mesh.problem);
                assert_eq!(expected, Some(found), "{energy}, level {level}");
            }
        }
    }

    #[test]
    fn nothing_is_expected_of_blocks_of_several_sizes() {
        let mut problem = Problem::new();
        let blocks = [1, 2].map(|size| problem.add_parameter_block(&vec![1.0; size]).unwrap());
        problem.add_residual(&blocks, |x| x[0][0] * x[1][1]).unwrap();
        assert_eq!(both(&problem).0, None);
    }
}
