//! Meshes, made or read.

use super::failure::Failure;
use super::mesh_problem::MeshProblem;
use isograd::io::{MeshFormat, ReadError, parse_mesh};
use isograd::mesh;
use wasm_bindgen::prelude::*;

/// A polygon mesh.
#[wasm_bindgen]
pub struct Mesh {
    mesh: mesh::Mesh,
    /// Where it is an icosphere.
    level: Option<u32>,
}

#[wasm_bindgen]
impl Mesh {
    /// The sphere: an icosahedron, its triangles split in four `level` times.
    pub fn icosphere(level: u32) -> Result<Mesh, JsValue> {
        Ok(Mesh { mesh: mesh::icosphere(level).map_err(Failure::from)?, level: Some(level) })
    }

    /// Reads a file from memory. `name` tells its format: .obj, .ply or .off, of bytes that are not gzipped (`DecompressionStream` unpacks those that are).
    pub fn parse(file: &[u8], name: &str) -> Result<Mesh, JsValue> {
        let format = MeshFormat::of_path(name).ok_or_else(|| ReadError::UnknownFormat { path: name.into() });
        let mesh = format.and_then(|format| parse_mesh(file, format, name)).map_err(Failure::from)?;
        Ok(Mesh { mesh, level: None })
    }

    /// Number of vertices.
    #[wasm_bindgen(getter)]
    pub fn vertices(&self) -> usize {
        self.mesh.vertex_count()
    }

    /// Number of faces.
    #[wasm_bindgen(getter)]
    pub fn faces(&self) -> usize {
        self.mesh.face_count()
    }

    /// The vertices, three numbers each: a copy.
    pub fn positions(&self) -> Vec<f64> {
        self.mesh.vertices().as_flattened().to_vec()
    }

    /// The faces as triangles, three vertices each: a copy.
    pub fn triangles(&self) -> Vec<u32> {
        triangles(&self.mesh)
    }

    /// An energy of the mesh as a problem. Its shape has no vertices that no face uses and starts deformed, with mean edge length 1.
    ///
    /// `developable` starts from the mesh as it is, and is minimised by many solves; for an icosphere, from coarse to fine.
    pub fn problem(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Energy")] energy: &str,
    ) -> Result<MeshProblem, JsValue> {
        Ok(MeshProblem::state(&self.mesh, self.level, energy)?)
    }
}

pub fn triangles(mesh: &mesh::Mesh) -> Vec<u32> {
    mesh.triangles().flatten().collect()
}
