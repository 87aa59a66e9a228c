//! Where everything of a problem stands on a device.
//!
//! Parameters are laid out in the order of [`CompiledProblem::block_order`], so that what is used together lies together. Sums over
//! the instances that touch a parameter block follow an *incidence list* a block, whose entries tell instance and
//! [kind](crate::kernel::wgsl::Kind) by one number. Blocks of one size form a [class](crate::kernel::wgsl::Class), and each class
//! has code of its own.

use crate::backend::Group;
use crate::kernel::wgsl::{self, Class, Derivative, Kind, MOST_COMPONENTS, WORKGROUP};
use crate::problem::{CompiledProblem, Parameters};
use rustc_hash::FxHashMap;

/// Instances of a block that a lane takes, about: a lane waits for memory at each of them.
const INSTANCES_A_LANE: u32 = 4;

/// Most workgroups over the instances of groups: each of them adds up the partial sums of the iteration before.
const MOST_GROUP_WORKGROUPS: usize = 4096;

/// Most workgroups over the blocks of a class.
const MOST_CLASS_WORKGROUPS: usize = 1024;

/// Numbers of a group, as kernels find them in their plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct GroupPlace {
    /// Instances.
    pub count: u32,
    /// Instances from one column of indices or data to the next.
    pub stride: u32,
    /// Where its block starts begin among the indices.
    pub blocks: u32,
    /// Where its data columns begin.
    pub data: u32,
    /// Where its residuals begin.
    pub residuals: u32,
    /// Where its stored numbers begin.
    pub stored: u32,
    /// Where its contributions to sums over parameter blocks begin.
    pub contributions: u32,
}

/// Blocks of a class.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClassPlace {
    /// Blocks, or pieces of blocks.
    pub count: u32,
    /// Workgroups that share them, a lane a block.
    pub workgroups: u32,
    /// Workgroups that share them, as many lanes a block as the class says.
    pub list_workgroups: u32,
    /// Where their table begins in the incidence buffer.
    pub table: u32,
    /// Where their numbers begin in the packed diagonals.
    pub diagonal: u32,
}

/// The layout of a problem.
#[derive(Debug)]
pub struct Layout {
    /// Place on the device of every parameter.
    pub places: Vec<u32>,
    /// Block starts, slot by slot, instance by instance.
    pub indices: Vec<u32>,
    /// Data columns that kernels read.
    pub data: Vec<f64>,
    /// One a group.
    pub groups: Vec<GroupPlace>,
    /// Tables of blocks and their incidence lists.
    pub incidence: Vec<u32>,
    /// Code of the classes.
    pub classes: Vec<Class>,
    /// One a class.
    pub class_places: Vec<ClassPlace>,
    /// First number of each kind in incidence lists, and the group it belongs to, class by class.
    pub kinds: Vec<(u32, usize)>,
    /// Numbers in the packed diagonals.
    pub diagonal: usize,
    /// Scalar residuals.
    pub residuals: usize,
    /// Stored numbers of the Jacobian.
    pub stored: usize,
}

/// A free block, or a part of one that is too large to be treated as a whole.
struct Piece {
    /// Place of its first component on the device.
    start: u32,
    size: u32,
    /// Held components as bits.
    held: u32,
    /// Index of its first component in its block.
    offset: u32,
    /// Entries of its incidence list.
    entries: u32,
    class: usize,
}

/// Where the pieces of each block begin.
struct Pieces {
    pieces: Vec<Piece>,
    /// First piece of the block that starts at each place of the parameter vector; `NONE` for fixed blocks.
    first: Vec<u32>,
}

const NONE: u32 = u32::MAX;

/// What a slot of a group is to the pieces it meets, by their class and offset.
type Touches<T> = FxHashMap<(usize, u32), T>;

impl Layout {
    /// Lays out the problem.
    pub fn new(problem: &CompiledProblem, parameters: &Parameters) -> Self {
        let mut layout = Self::of_groups(problem, parameters, &problem.groups);
        let mut pieces = Pieces::new(problem, parameters, &layout.places);
        layout.add_classes(&problem.groups, &mut pieces);
        layout
    }

    /// Lays out what it takes to evaluate `groups`, whose rows and stored numbers follow each other from 0 on.
    pub fn of_groups(problem: &CompiledProblem, parameters: &Parameters, groups: &[Group]) -> Self {
        let mut places = vec![0; parameters.values().len()];
        let mut next = 0;
        for &block in problem.block_order() {
            let start = parameters.offsets()[block as usize] as usize;
            for place in &mut places[start..start + parameters.size(block as usize)] {
                *place = next;
                next += 1;
            }
        }
        let mut layout = Layout {
            places,
            indices: Vec::new(),
            data: Vec::new(),
            groups: Vec::new(),
            incidence: Vec::new(),
            classes: Vec::new(),
            class_places: Vec::new(),
            kinds: Vec::new(),
            diagonal: 0,
            residuals: groups.iter().map(|group| group.rows.len()).sum(),
            stored: groups.iter().map(|group| group.stored.len()).sum(),
        };
        for group in groups {
            layout.add_group(group);
        }
        layout
    }

    fn add_group(&mut self, group: &Group) {
        let place = GroupPlace {
            count: group.table.count as u32,
            stride: group.table.count as u32,
            blocks: self.indices.len() as u32,
            data: self.data.len() as u32,
            residuals: group.rows.start as u32,
            stored: group.stored.start as u32,
            contributions: 0,
        };
        let places = &self.places;
        for column in &group.table.blocks {
            self.indices.extend(column.iter().map(|&start| places[start as usize]));
        }
        for column in wgsl::data_columns(&group.kernel) {
            let column = &group.table.data[column as usize];
            self.data.extend((0..group.table.count).map(|instance| column.get(instance)));
        }
        self.groups.push(place);
    }

    fn add_classes(&mut self, groups: &[Group], pieces: &mut Pieces) {
        pieces.count(groups);
        let mut numbers: FxHashMap<(u32, bool), usize> = FxHashMap::default();
        let lanes = typical_lanes(&pieces.pieces);
        for piece in &mut pieces.pieces {
            let size = piece.size;
            // Those that would keep their lanes much longer than others get a workgroup each.
            let long = piece.entries > 8 * INSTANCES_A_LANE * lanes[&size];
            let class = *numbers.entry((size, long)).or_insert_with(|| {
                let lanes = if long { WORKGROUP } else { lanes[&size] };
                self.classes.push(Class { size: size as usize, lanes, kinds: Vec::new() });
                self.class_places.push(ClassPlace::default());
                self.classes.len() - 1
            });
            piece.class = class;
            self.class_places[class].count += 1;
        }
        self.place_classes(pieces);
        let touches = self.find_kinds(groups, pieces);
        self.fill_lists(groups, pieces, &touches);
    }

    /// Makes room for the tables, then for the lists, and writes the tables.
    fn place_classes(&mut self, pieces: &Pieces) {
        let mut end = 0;
        for (class, place) in self.classes.iter().zip(&mut self.class_places) {
            place.table = end;
            end += 4 * place.count;
            place.diagonal = self.diagonal as u32;
            self.diagonal += place.count as usize * wgsl::packed_len(class.size);
            place.workgroups = place.count.div_ceil(WORKGROUP).min(MOST_CLASS_WORKGROUPS as u32);
            let shares = place.count.div_ceil(WORKGROUP / class.lanes);
            place.list_workgroups = shares.min(MOST_CLASS_WORKGROUPS as u32);
        }
        let lists: u32 = pieces.pieces.iter().map(|piece| piece.entries).sum();
        self.incidence = vec![0; (end + lists) as usize];
        let mut rows: Vec<u32> = self.class_places.iter().map(|place| place.table).collect();
        for piece in &pieces.pieces {
            let row = rows[piece.class] as usize;
            // The end of the list moves up as the list is filled.
            self.incidence[row..row + 4].copy_from_slice(&[piece.start, piece.held, end, end]);
            rows[piece.class] += 4;
            end += piece.entries;
        }
    }

    /// Finds the kinds of every class; returns, for each group and slot, the kind a piece of a class and an offset is touched by.
    fn find_kinds(&mut self, groups: &[Group], pieces: &Pieces) -> Vec<Vec<Touches<u32>>> {
        let mut touches: Vec<Vec<Touches<(usize, usize)>>> = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let mut of_group = Vec::new();
            for (slot, column) in group.table.blocks.iter().enumerate() {
                let mut of_slot = FxHashMap::default();
                // Most slots meet pieces of one sort only.
                let mut last = None;
                for &start in column {
                    for piece in pieces.of(start) {
                        let key = (piece.class, piece.offset);
                        if last == Some(key) || of_slot.contains_key(&key) {
                            continue;
                        }
                        last = Some(key);
                        let derivatives = derivatives(group, slot, piece);
                        if derivatives.is_empty() {
                            continue;
                        }
                        let kind = Kind { group: index, derivatives };
                        let kinds = &mut self.classes[piece.class].kinds;
                        let number = kinds.iter().position(|other| *other == kind).unwrap_or_else(|| {
                            kinds.push(kind);
                            kinds.len() - 1
                        });
                        of_slot.insert(key, (piece.class, number));
                    }
                }
                of_group.push(of_slot);
            }
            touches.push(of_group);
        }
        let mut first_kinds = Vec::new();
        for class in &self.classes {
            first_kinds.push(self.kinds.len());
            let mut base = 0;
            for kind in &class.kinds {
                self.kinds.push((base, kind.group));
                base += groups[kind.group].table.count as u32;
            }
        }
        let base = |(class, number): (usize, usize)| self.kinds[first_kinds[class] + number].0;
        let bases =
            |of_slot: Touches<(usize, usize)>| of_slot.into_iter().map(|(key, kind)| (key, base(kind))).collect();
        touches.into_iter().map(|of_group| of_group.into_iter().map(bases).collect()).collect()
    }

    /// Fills the lists group by group and slot by slot, so that the entries of a list stand by kind.
    fn fill_lists(&mut self, groups: &[Group], pieces: &Pieces, touches: &[Vec<Touches<u32>>]) {
        // The row of each piece in its table.
        let mut next: Vec<u32> = self.class_places.iter().map(|place| place.table).collect();
        let rows: Vec<u32> = pieces
            .pieces
            .iter()
            .map(|piece| {
                next[piece.class] += 4;
                next[piece.class] - 4
            })
            .collect();
        for (group, touches) in groups.iter().zip(touches) {
            for (column, touches) in group.table.blocks.iter().zip(touches) {
                // Most slots meet pieces of one sort only.
                let mut last = None;
                for (instance, &start) in column.iter().enumerate() {
                    for number in pieces.numbers(start) {
                        let piece = &pieces.pieces[number];
                        let key = (piece.class, piece.offset);
                        let base = match last {
                            Some((known, base)) if known == key => base,
                            _ => {
                                let base = touches.get(&key).copied();
                                last = Some((key, base));
                                base
                            }
                        };
                        if let Some(base) = base {
                            let row = rows[number] as usize;
                            let end = self.incidence[row + 3];
                            self.incidence[end as usize] = base + instance as u32;
                            self.incidence[row + 3] = end + 1;
                        }
                    }
                }
            }
        }
    }

    /// Parameters in the order of the device.
    pub fn point(&self, x: &[f64]) -> Vec<f64> {
        let mut point = vec![0.0; x.len()];
        for (number, &place) in x.iter().zip(&self.places) {
            point[place as usize] = *number;
        }
        point
    }

    /// Instances a workgroup takes, in units of its size.
    pub fn tile(&self) -> u32 {
        let shares: usize = self.groups.iter().map(|group| (group.count as usize).div_ceil(WORKGROUP as usize)).sum();
        shares.div_ceil(MOST_GROUP_WORKGROUPS).max(1) as u32
    }

    /// Workgroups over all classes: the number of partial sums over blocks.
    pub fn class_workgroups(&self) -> u32 {
        self.class_places.iter().map(|place| place.workgroups).sum()
    }

    /// Workgroups over all incidence lists.
    pub fn list_workgroups(&self) -> u32 {
        self.class_places.iter().map(|place| place.list_workgroups).sum()
    }
}

/// Blocks from which there are lanes enough with one a block: more of them only wait for each other.
const MANY_BLOCKS: usize = 1 << 14;

/// Lanes for the lists of pieces of each size, by their median length.
fn typical_lanes(pieces: &[Piece]) -> FxHashMap<u32, u32> {
    let mut lengths: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    for piece in pieces {
        lengths.entry(piece.size).or_default().push(piece.entries);
    }
    let lanes = |mut lengths: Vec<u32>| {
        let middle = lengths.len() / 2;
        let a_lane = if lengths.len() >= MANY_BLOCKS { 8 * INSTANCES_A_LANE } else { INSTANCES_A_LANE };
        let (_, median, _) = lengths.select_nth_unstable(middle);
        (*median / a_lane).clamp(1, WORKGROUP).next_power_of_two().min(WORKGROUP)
    };
    lengths.into_iter().map(|(size, lengths)| (size, lanes(lengths))).collect()
}

/// The derivatives by the components of a piece, in the order of the linearization.
fn derivatives(group: &Group, slot: usize, piece: &Piece) -> Vec<Derivative> {
    let range = piece.offset..piece.offset + piece.size;
    let entries = group.kernel.linearization.entries.iter();
    let mine = entries.filter(|entry| entry.block as usize == slot && range.contains(&entry.component));
    mine.map(|entry| Derivative {
        residual: entry.residual,
        component: entry.component - piece.offset,
        factor: entry.factor,
        stored: entry.stored,
    })
    .collect()
}

impl Pieces {
    fn new(problem: &CompiledProblem, parameters: &Parameters, places: &[u32]) -> Self {
        let mut pieces = Vec::new();
        let mut first = vec![NONE; places.len()];
        let free = problem.block_order().iter().map(|&block| block as usize).filter(|&b| !parameters.is_fixed(b));
        for block in free {
            let start = parameters.offsets()[block] as usize;
            let size = parameters.size(block);
            let count = size.div_ceil(MOST_COMPONENTS).max(1);
            first[start] = pieces.len() as u32;
            for k in 0..count {
                let range = size * k / count..size * (k + 1) / count;
                let flags = parameters.fixed(block).map_or(&[][..], |flags| &flags[range.clone()]);
                let held = flags.iter().enumerate().filter(|(_, held)| **held).fold(0, |bits, (k, _)| bits | 1 << k);
                pieces.push(Piece {
                    start: places[start] + range.start as u32,
                    size: range.len() as u32,
                    held,
                    offset: range.start as u32,
                    entries: 0,
                    class: 0,
                });
            }
        }
        Pieces { pieces, first }
    }

    /// Numbers of the pieces of the block that starts at `start` in the parameter vector.
    fn numbers(&self, start: u32) -> std::ops::Range<usize> {
        let first = self.first[start as usize];
        if first == NONE {
            return 0..0;
        }
        let mut end = first as usize + 1;
        while self.pieces.get(end).is_some_and(|piece| piece.offset > 0) {
            end += 1;
        }
        first as usize..end
    }

    fn of(&self, start: u32) -> &[Piece] {
        &self.pieces[self.numbers(start)]
    }

    /// Counts the entries of every incidence list.
    fn count(&mut self, groups: &[Group]) {
        for group in groups {
            for (slot, column) in group.table.blocks.iter().enumerate() {
                let mut present = vec![false; group.kernel.program.block_sizes[slot] as usize];
                let entries = group.kernel.linearization.entries.iter().filter(|entry| entry.block as usize == slot);
                entries.for_each(|entry| present[entry.component as usize] = true);
                let whole = present.iter().all(|&present| present);
                for &start in column {
                    for number in self.numbers(start) {
                        let piece = &mut self.pieces[number];
                        let range = piece.offset as usize..(piece.offset + piece.size) as usize;
                        piece.entries += u32::from(whole || present[range].contains(&true));
                    }
                }
            }
        }
    }
}
