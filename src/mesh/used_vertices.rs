//! Vertices that no face uses take no part in an optimisation: scanned meshes have thousands of them, and each
//! would add three unknowns without a residual, hence a singular system.

use super::Mesh;

/// A mesh without its unused vertices, and which vertex went where.
#[derive(Debug, Clone, PartialEq)]
pub struct UsedVertices {
    /// The mesh of used vertices, in their old order.
    pub mesh: Mesh,
    /// For each new vertex, its index before.
    pub old_index: Vec<u32>,
    /// For each old vertex, its index now; `None` where it was left out.
    pub new_index: Vec<Option<u32>>,
}

impl Mesh {
    /// Whether any face uses the vertex, for each vertex.
    pub fn used_vertices(&self) -> Vec<bool> {
        let mut used = vec![false; self.vertex_count()];
        for &vertex in &self.corners {
            used[vertex as usize] = true;
        }
        used
    }

    /// The same faces on the used vertices only.
    pub fn without_unused_vertices(&self) -> UsedVertices {
        let mut old_index = Vec::new();
        let mut vertices = Vec::new();
        // The number of a vertex among the used ones; those left out get the number of the next one, unseen below.
        let mut number = Vec::with_capacity(self.vertex_count());
        let used = self.used_vertices();
        for (old, &is_used) in used.iter().enumerate() {
            number.push(vertices.len() as u32);
            if is_used {
                old_index.push(old as u32);
                vertices.push(self.vertices[old]);
            }
        }
        let corners = self.corners.iter().map(|&v| number[v as usize]).collect();
        let new_index = used.iter().zip(&number).map(|(&is_used, &new)| is_used.then_some(new)).collect();
        UsedVertices { mesh: Mesh { vertices, offsets: self.offsets.clone(), corners }, old_index, new_index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_vertices_go_and_the_maps_agree() {
        let points = (0..6).map(|i| [f64::from(i); 3]).collect();
        let mesh = Mesh::from_triangles(points, &[[5, 1, 2]]).unwrap();
        assert_eq!(mesh.used_vertices(), [false, true, true, false, false, true]);
        let part = mesh.without_unused_vertices();
        assert_eq!(part.mesh.vertices(), [[1.0; 3], [2.0; 3], [5.0; 3]]);
        assert_eq!(part.mesh.face(0), [2, 0, 1]);
        assert_eq!(part.old_index, [1, 2, 5]);
        assert_eq!(part.new_index, [None, Some(0), Some(1), None, None, Some(2)]);
        assert_eq!(part.mesh.without_unused_vertices().mesh, part.mesh);
    }
}
