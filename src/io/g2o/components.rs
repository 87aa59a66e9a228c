//! Which poses hang together.

use super::Poses;

impl<const N: usize, const D: usize> Poses<N, D> {
    /// The connected components of the graph: lists of poses between which there are edges, however long the way. The first has pose
    /// 0, the one with the lowest id; the components stand in the order of their lowest poses, the poses of each in ascending order.
    ///
    /// # Panics
    /// Where an edge names a pose that is not there; not for a graph that was read from a file.
    pub fn components(&self) -> Vec<Vec<u32>> {
        let mut root: Vec<u32> = (0..self.poses.len() as u32).collect();
        for edge in &self.edges {
            let (a, b) = (find(&mut root, edge.from), find(&mut root, edge.to));
            root[a.max(b) as usize] = a.min(b); // so a root is the lowest of its component
        }
        let mut component = vec![0; root.len()];
        let mut components: Vec<Vec<u32>> = Vec::new();
        for pose in 0..root.len() as u32 {
            let lowest = find(&mut root, pose);
            if lowest == pose {
                component[pose as usize] = components.len();
                components.push(Vec::new());
            }
            components[component[lowest as usize]].push(pose);
        }
        components
    }

    /// The components that do not hang together with the pose of the lowest id. Held at that pose alone, each could move freely as a
    /// whole: hold a pose of each, or leave them out.
    pub fn detached_components(&self) -> Vec<Vec<u32>> {
        self.components().into_iter().skip(1).collect()
    }
}

/// The root of a pose's tree, halving the way for the next time (R. E. Tarjan, J. van Leeuwen, "Worst-case analysis of set union
/// algorithms", J. ACM 31(2), 1984).
fn find(root: &mut [u32], mut pose: u32) -> u32 {
    while root[pose as usize] != pose {
        root[pose as usize] = root[root[pose as usize] as usize];
        pose = root[pose as usize];
    }
    pose
}
