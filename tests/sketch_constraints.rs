//! Constraints of a sketch (points, lines, circles in the plane) as residuals, solved as a drawing program would.

use isograd::{BlockId, Blocks, Problem, SolverOptions, SolverReport, Value};

/// A drawing under construction.
struct Sketch {
    problem: Problem,
}

type Line = [BlockId; 2];

/// A centre and a radius.
#[derive(Clone, Copy)]
struct Circle {
    centre: BlockId,
    radius: BlockId,
}

/// End less start of the line in blocks `at` and `at + 1`.
fn direction(x: &Blocks<'_>, at: usize) -> [Value; 2] {
    [x[at + 1][0] - x[at][0], x[at + 1][1] - x[at][1]]
}

fn length([x, y]: [Value; 2]) -> Value {
    (x * x + y * y).sqrt()
}

fn cross([ax, ay]: [Value; 2], [bx, by]: [Value; 2]) -> Value {
    ax * by - ay * bx
}

fn dot([ax, ay]: [Value; 2], [bx, by]: [Value; 2]) -> Value {
    ax * bx + ay * by
}

impl Sketch {
    fn new() -> Self {
        Sketch { problem: Problem::new() }
    }

    fn point(&mut self, x: f64, y: f64) -> BlockId {
        self.problem.add_parameter_block(&[x, y]).unwrap()
    }

    fn pinned(&mut self, x: f64, y: f64) -> BlockId {
        let point = self.point(x, y);
        self.problem.fix(point).unwrap();
        point
    }

    fn line(&mut self, [ax, ay]: [f64; 2], [bx, by]: [f64; 2]) -> Line {
        [self.point(ax, ay), self.point(bx, by)]
    }

    fn circle(&mut self, x: f64, y: f64, radius: f64) -> Circle {
        Circle { centre: self.point(x, y), radius: self.problem.add_parameter_block(&[radius]).unwrap() }
    }

    fn require(&mut self, blocks: &[BlockId], residual: impl FnOnce(&Blocks<'_>) -> Value) {
        self.problem.add_residual(blocks, |x| residual(&x)).unwrap();
    }

    fn horizontal(&mut self, line: Line) {
        self.require(&line, |x| direction(x, 0)[1]);
    }

    fn vertical(&mut self, line: Line) {
        self.require(&line, |x| direction(x, 0)[0]);
    }

    fn length(&mut self, line: Line, target: f64) {
        self.require(&line, |x| length(direction(x, 0)) - target);
    }

    /// Directions as unit vectors, so that long lines weigh no more than short ones. Lines may share a point.
    fn about_directions(&mut self, a: Line, b: Line, residual: fn([Value; 2], [Value; 2]) -> Value) {
        let mut blocks = a.to_vec();
        blocks.extend(b.iter().filter(|block| !a.contains(block)));
        let place = |block: BlockId| blocks.iter().position(|&b| b == block).unwrap();
        let [a, b] = [a, b].map(|line| line.map(place));
        self.require(&blocks, |x| {
            let unit = |[from, to]: [usize; 2]| {
                let d = [x[to][0] - x[from][0], x[to][1] - x[from][1]];
                let size = length(d);
                [d[0] / size, d[1] / size]
            };
            residual(unit(a), unit(b))
        });
    }

    fn parallel(&mut self, a: Line, b: Line) {
        self.about_directions(a, b, cross);
    }

    fn perpendicular(&mut self, a: Line, b: Line) {
        self.about_directions(a, b, dot);
    }

    fn equal_length(&mut self, a: Line, b: Line) {
        let mut blocks = a.to_vec();
        blocks.extend(b.iter().filter(|block| !a.contains(block)));
        let place = |block: BlockId| blocks.iter().position(|&b| b == block).unwrap();
        let [a, b] = [a, b].map(|line| line.map(place));
        self.require(&blocks, |x| {
            let size = |[from, to]: [usize; 2]| length([x[to][0] - x[from][0], x[to][1] - x[from][1]]);
            size(a) - size(b)
        });
    }

    fn point_on_line(&mut self, point: BlockId, [a, b]: Line) {
        self.require(&[a, b, point], |x| {
            let along = direction(x, 0);
            cross(along, [x[2][0] - x[0][0], x[2][1] - x[0][1]]) / length(along)
        });
    }

    fn point_on_circle(&mut self, point: BlockId, circle: Circle) {
        self.require(&[circle.centre, point, circle.radius], |x| length(direction(x, 0)) - x[2][0]);
    }

    fn tangent(&mut self, [a, b]: Line, circle: Circle) {
        self.require(&[a, b, circle.centre, circle.radius], |x| {
            let along = direction(x, 0);
            let across = cross(along, [x[2][0] - x[0][0], x[2][1] - x[0][1]]) / length(along);
            across.abs() - x[3][0]
        });
    }

    fn radius(&mut self, circle: Circle, target: f64) {
        self.require(&[circle.radius], |x| x[0][0] - target);
    }

    fn equal_radius(&mut self, a: Circle, b: Circle) {
        self.require(&[a.radius, b.radius], |x| x[0][0] - x[1][0]);
    }

    /// Solves with the tolerance a drawing needs.
    fn solve(&mut self) -> SolverReport {
        let options = SolverOptions { max_iterations: 200, ..SolverOptions::default() };
        self.problem.solve(&options).unwrap()
    }

    fn solved(&mut self) {
        let report = self.solve();
        assert!(report.termination.is_converged() && report.final_cost < 1e-8, "{report}");
    }

    fn at(&self, point: BlockId) -> [f64; 2] {
        let x = self.problem.parameter_block(point);
        [x[0], x[1]]
    }

    fn along(&self, [a, b]: Line) -> [f64; 2] {
        let ([ax, ay], [bx, by]) = (self.at(a), self.at(b));
        [bx - ax, by - ay]
    }

    fn size(&self, line: Line) -> f64 {
        let [x, y] = self.along(line);
        x.hypot(y)
    }

    fn radius_of(&self, circle: Circle) -> f64 {
        self.problem.parameter_block(circle.radius)[0]
    }

    fn cross_of(&self, a: Line, b: Line) -> f64 {
        let ([ax, ay], [bx, by]) = (self.along(a), self.along(b));
        (ax * by - ay * bx) / (self.size(a) * self.size(b))
    }

    fn dot_of(&self, a: Line, b: Line) -> f64 {
        let ([ax, ay], [bx, by]) = (self.along(a), self.along(b));
        (ax * bx + ay * by) / (self.size(a) * self.size(b))
    }
}

/// Half a unit of the fourth place.
const PLACES: f64 = 0.5e-4;

#[test]
fn horizontal_and_vertical_lines() {
    let mut sketch = Sketch::new();
    let free = sketch.line([0.0, 0.0], [100.0, 30.0]);
    sketch.horizontal(free);
    let pin = sketch.pinned(10.0, 20.0);
    let pinned = [pin, sketch.point(60.0, 45.0)];
    sketch.horizontal(pinned);
    let upright = sketch.line([0.0, 0.0], [30.0, 100.0]);
    sketch.vertical(upright);
    let other_pin = sketch.pinned(-5.0, 1.0);
    let pinned_upright = [other_pin, sketch.point(3.0, 70.0)];
    sketch.vertical(pinned_upright);
    sketch.solved();

    assert!(sketch.along(free)[1].abs() < PLACES && sketch.size(free) > 50.0);
    assert!((sketch.at(pinned[1])[1] - 20.0).abs() < PLACES && sketch.at(pin) == [10.0, 20.0]);
    assert!((sketch.at(pinned[1])[0] - 60.0).abs() < PLACES, "nothing asks it to move along");
    assert!(sketch.along(upright)[0].abs() < PLACES);
    assert!((sketch.at(pinned_upright[1])[0] + 5.0).abs() < PLACES && sketch.at(other_pin) == [-5.0, 1.0]);
}

#[test]
fn a_fixed_length() {
    let mut sketch = Sketch::new();
    let line = sketch.line([0.0, 0.0], [60.0, 10.0]);
    sketch.length(line, 100.0);
    sketch.solved();
    assert!((sketch.size(line) - 100.0).abs() < 0.5e-2);
}

#[test]
fn parallel_and_perpendicular_lines() {
    let mut sketch = Sketch::new();
    let a = sketch.line([0.0, 0.0], [100.0, 10.0]);
    let b = sketch.line([0.0, 50.0], [90.0, 90.0]);
    sketch.parallel(a, b);
    sketch.solved();
    assert!(sketch.cross_of(a, b).abs() < 2e-4 && sketch.dot_of(a, b) > 0.9);

    let mut sketch = Sketch::new();
    let corner = sketch.pinned(0.0, 0.0);
    let a = [corner, sketch.point(100.0, 10.0)];
    let b = [corner, sketch.point(30.0, 80.0)];
    sketch.perpendicular(a, b);
    sketch.solved();
    assert!(sketch.dot_of(a, b).abs() < 6e-4 && sketch.size(a) > 50.0 && sketch.size(b) > 50.0);
}

#[test]
fn points_on_lines_and_circles() {
    let mut sketch = Sketch::new();
    let axis = [sketch.pinned(0.0, 0.0), sketch.pinned(100.0, 0.0)];
    let point = sketch.point(40.0, 25.0);
    sketch.point_on_line(point, axis);
    let centre = sketch.pinned(200.0, 100.0);
    let radius = sketch.problem.add_parameter_block(&[75.0]).unwrap();
    sketch.problem.fix(radius).unwrap();
    let circle = Circle { centre, radius };
    let on_circle = sketch.point(230.0, 110.0);
    sketch.point_on_circle(on_circle, circle);
    sketch.solved();
    assert!(sketch.at(point)[1].abs() < PLACES && (sketch.at(point)[0] - 40.0).abs() < PLACES);
    let distance = sketch.size([centre, on_circle]);
    assert!((distance - 75.0).abs() < PLACES, "{distance}");
    assert_eq!((sketch.at(centre), sketch.radius_of(circle)), ([200.0, 100.0], 75.0));
}

#[test]
fn a_line_tangent_to_a_circle() {
    let mut sketch = Sketch::new();
    let circle = sketch.circle(50.0, 50.0, 30.0);
    let line = sketch.line([0.0, 0.0], [100.0, 5.0]);
    sketch.tangent(line, circle);
    sketch.radius(circle, 30.0);
    sketch.solved();
    let ([ax, ay], [cx, cy]) = (sketch.at(line[0]), sketch.at(circle.centre));
    let [dx, dy] = sketch.along(line);
    let distance = ((dx * (cy - ay) - dy * (cx - ax)) / dx.hypot(dy)).abs();
    assert!((distance - sketch.radius_of(circle)).abs() < 1.2e-3, "{distance}");
    assert!((sketch.radius_of(circle) - 30.0).abs() < PLACES);
}

#[test]
fn three_equal_lengths_and_radii() {
    let mut sketch = Sketch::new();
    let lines = [
        sketch.line([0.0, 0.0], [50.0, 0.0]),
        sketch.line([0.0, 20.0], [80.0, 25.0]),
        sketch.line([0.0, 40.0], [20.0, 90.0]),
    ];
    sketch.equal_length(lines[0], lines[1]);
    sketch.equal_length(lines[1], lines[2]);
    let circles = [sketch.circle(0.0, 0.0, 10.0), sketch.circle(50.0, 0.0, 25.0), sketch.circle(0.0, 50.0, 40.0)];
    sketch.equal_radius(circles[0], circles[1]);
    sketch.equal_radius(circles[1], circles[2]);
    sketch.solved();
    let sizes = lines.map(|line| sketch.size(line));
    assert!((sizes[0] - sizes[1]).abs() < 1e-3 && (sizes[1] - sizes[2]).abs() < 1e-3 && sizes[0] > 20.0, "{sizes:?}");
    let radii = circles.map(|circle| sketch.radius_of(circle));
    assert!((radii[0] - radii[1]).abs() < PLACES && (radii[1] - radii[2]).abs() < PLACES, "{radii:?}");
    assert!((radii[0] - 25.0).abs() < 1e-3, "the mean is nearest");
}

/// Four points, their sides in order.
fn quadrilateral(sketch: &mut Sketch, corners: [[f64; 2]; 4]) -> [Line; 4] {
    let first = sketch.pinned(corners[0][0], corners[0][1]);
    let points = [first].into_iter().chain(corners[1..].iter().map(|&[x, y]| sketch.point(x, y)));
    let points: Vec<BlockId> = points.collect();
    [0, 1, 2, 3].map(|k| [points[k], points[(k + 1) % 4]])
}

#[test]
fn a_square() {
    let mut sketch = Sketch::new();
    let sides = quadrilateral(&mut sketch, [[0.0, 0.0], [90.0, 10.0], [110.0, 105.0], [-5.0, 95.0]]);
    sketch.horizontal(sides[0]);
    for k in 0..3 {
        sketch.equal_length(sides[k], sides[k + 1]);
        sketch.perpendicular(sides[k], sides[k + 1]);
    }
    sketch.length(sides[0], 100.0);
    sketch.solved();
    let expected = [[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]];
    for (side, expected) in sides.iter().zip(expected) {
        let [x, y] = sketch.at(side[0]);
        assert!((x - expected[0]).abs() < 1e-2 && (y - expected[1]).abs() < 1e-2, "({x}, {y}) for {expected:?}");
    }
}

#[test]
fn a_rectangle() {
    let mut sketch = Sketch::new();
    let sides = quadrilateral(&mut sketch, [[10.0, 10.0], [140.0, 25.0], [150.0, 70.0], [5.0, 80.0]]);
    sketch.horizontal(sides[0]);
    sketch.vertical(sides[1]);
    sketch.horizontal(sides[2]);
    sketch.vertical(sides[3]);
    sketch.length(sides[0], 150.0);
    sketch.length(sides[1], 60.0);
    sketch.solved();
    let sizes = sides.map(|side| sketch.size(side));
    for (size, expected) in sizes.iter().zip([150.0, 60.0, 150.0, 60.0]) {
        assert!((size - expected).abs() < 1e-2, "{sizes:?}");
    }
    assert!(sketch.dot_of(sides[0], sides[1]).abs() < 6e-4);
}

/// Two arms at a right angle of given lengths, a hole in the middle of one, tangent to a rail.
#[test]
fn an_l_shaped_bracket() {
    let mut sketch = Sketch::new();
    let corner = sketch.pinned(0.0, 0.0);
    let foot = [corner, sketch.point(70.0, 5.0)];
    let arm = [corner, sketch.point(8.0, 45.0)];
    sketch.horizontal(foot);
    sketch.perpendicular(foot, arm);
    sketch.length(foot, 80.0);
    sketch.length(arm, 50.0);
    let hole = sketch.circle(35.0, 12.0, 6.0);
    sketch.radius(hole, 5.0);
    sketch.tangent(foot, hole);
    let rail = [sketch.pinned(40.0, -10.0), sketch.pinned(40.0, 60.0)];
    sketch.point_on_line(hole.centre, rail);
    sketch.solved();
    let near = |[x, y]: [f64; 2], expected: [f64; 2]| (x - expected[0]).abs() < 1e-2 && (y - expected[1]).abs() < 1e-2;
    assert!(near(sketch.at(foot[1]), [80.0, 0.0]) && near(sketch.at(arm[1]), [0.0, 50.0]));
    assert!(near(sketch.at(hole.centre), [40.0, 5.0]), "{:?}", sketch.at(hole.centre));
}

/// What cannot be met is met as nearly as it can be, and reported with its cost.
#[test]
fn over_constrained_sketches_return() {
    let mut sketch = Sketch::new();
    let line = sketch.line([0.0, 0.0], [80.0, 3.0]);
    sketch.length(line, 100.0);
    sketch.length(line, 50.0);
    sketch.horizontal(line);
    let report = sketch.solve();
    assert!(report.termination.is_converged(), "{report}");
    assert!((report.final_cost - 625.0).abs() < 1e-3, "half of 25² + 25²: {}", report.final_cost);
    assert!((sketch.size(line) - 75.0).abs() < 1e-2);

    // Both horizontal and vertical, and of a length: at a length of 0 all is undefined, and nothing panics.
    let mut sketch = Sketch::new();
    let line = sketch.line([0.0, 0.0], [80.0, 3.0]);
    sketch.horizontal(line);
    sketch.vertical(line);
    sketch.length(line, 10.0);
    let report = sketch.solve();
    assert!(report.final_cost.is_finite() && report.final_cost < report.initial_cost);

    // Constraints that say the same thing twice.
    let mut sketch = Sketch::new();
    let sides = quadrilateral(&mut sketch, [[0.0, 0.0], [90.0, 10.0], [110.0, 105.0], [-5.0, 95.0]]);
    for k in 0..4 {
        if k % 2 == 0 {
            sketch.horizontal(sides[k])
        } else {
            sketch.vertical(sides[k])
        }
        sketch.perpendicular(sides[k], sides[(k + 1) % 4]);
        sketch.parallel(sides[k], sides[(k + 2) % 4]);
        sketch.length(sides[k], 40.0);
    }
    sketch.solved();
    // A wholly pinned sketch that contradicts itself stays where it is.
    let mut sketch = Sketch::new();
    let pins = [sketch.pinned(0.0, 0.0), sketch.pinned(3.0, 4.0)];
    sketch.length(pins, 6.0);
    let report = sketch.solve();
    assert_eq!((report.final_cost, sketch.at(pins[1])), (0.5, [3.0, 4.0]));
}

/// Constraints of one kind are one kernel, however many there are.
#[test]
fn a_large_sketch_has_few_kernels() {
    let mut sketch = Sketch::new();
    let mut last = sketch.pinned(0.0, 0.0);
    for k in 1..=100 {
        let next = sketch.point(9.0 * f64::from(k), f64::from(k % 7));
        let line = [last, next];
        sketch.length(line, 10.0);
        sketch.horizontal(line);
        last = next;
    }
    assert_eq!(sketch.problem.topologies(), 2);
    sketch.solved();
    let [x, y] = sketch.at(last);
    assert!((x - 1000.0).abs() < 1e-2 && y.abs() < 1e-2, "({x}, {y})");
}
