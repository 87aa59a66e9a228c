//! Positions and edges of a graph, be it in the plane or in space.

use isograd::io::PoseGraph;

/// What a picture needs of a graph.
pub(super) struct Shape {
    /// 2 or 3.
    pub dimension: usize,
    /// Of the poses; in the plane z is 0.
    pub positions: Vec<[f64; 3]>,
    /// Indices of the two poses of each edge.
    pub edges: Vec<[u32; 2]>,
}

impl Shape {
    pub fn of(graph: &PoseGraph) -> Shape {
        match graph {
            PoseGraph::Se2(graph) => Shape {
                dimension: 2,
                positions: graph.poses.iter().map(|p| [p[0], p[1], 0.0]).collect(),
                edges: graph.edges.iter().map(|edge| [edge.from, edge.to]).collect(),
            },
            PoseGraph::Se3(graph) => Shape {
                dimension: 3,
                positions: graph.poses.iter().map(|p| [p[0], p[1], p[2]]).collect(),
                edges: graph.edges.iter().map(|edge| [edge.from, edge.to]).collect(),
            },
        }
    }

    /// From a pose to the next one: the way that was gone.
    pub fn odometry(&self) -> impl Iterator<Item = [[f64; 3]; 2]> {
        self.ends(|gap| gap <= 1)
    }

    /// Between poses that do not follow each other: places that were met again.
    pub fn closures(&self) -> impl Iterator<Item = [[f64; 3]; 2]> {
        self.ends(|gap| gap > 1)
    }

    fn ends(&self, wanted: impl Fn(u32) -> bool) -> impl Iterator<Item = [[f64; 3]; 2]> {
        let edges = self.edges.iter().filter(move |[a, b]| wanted(a.abs_diff(*b)));
        edges.map(|edge| edge.map(|pose| self.positions[pose as usize]))
    }
}
