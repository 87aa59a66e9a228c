// The energy `smooth` of an icosphere in Ceres, for a side-by-side with isograd on one machine.
//
//   g++ -O3 -march=native -std=c++17 -I/usr/include/eigen3 benches/peers/ceres_smooth.cpp -o /tmp/ceres_smooth -lceres -lglog
//   /tmp/ceres_smooth LEVEL THREADS [solve]
//
// Debian packages: libceres-dev libeigen3-dev libgoogle-glog-dev libopenblas0-serial. Run with
// LD_PRELOAD=/usr/lib/x86_64-linux-gnu/openblas-serial/libopenblas.so.0: else the BLAS of ATLAS, which comes with libceres-dev, is used,
// and CHOLMOD takes three times as long. Prints the time of bare calls of the cost functions (residuals and
// Jacobian blocks into one buffer), of one evaluation as Problem::Evaluate charges it, and with `solve` that of a whole solve.
#include <ceres/ceres.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <vector>

using Vec = std::array<double, 3>;
static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
static double length(const Vec& a) { return std::sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]); }
static Vec minus(const Vec& a, const Vec& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }

struct EdgeLength {
  double target;
  template <typename T>
  bool operator()(const T* a, const T* b, T* r) const {
    T x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    r[0] = sqrt(x * x + y * y + z * z) - target;
    return true;
  }
};

template <int N>
struct Laplacian {
  template <typename T>
  static bool apply(const T* const* x, T* r) {
    for (int c = 0; c < 3; ++c) {
      T sum = x[1][c];
      for (int k = 2; k <= N; ++k) sum += x[k][c];
      r[c] = 0.5 * (x[0][c] - sum / double(N));
    }
    return true;
  }
  template <typename T>
  bool operator()(const T* a, const T* b, const T* c, const T* d, const T* e, const T* f, T* r) const {
    const T* x[] = {a, b, c, d, e, f};
    return apply(x, r);
  }
  template <typename T>
  bool operator()(const T* a, const T* b, const T* c, const T* d, const T* e, const T* f, const T* g, T* r) const {
    const T* x[] = {a, b, c, d, e, f, g};
    return apply(x, r);
  }
};

int main(int argc, char** argv) {
  int level = argc > 1 ? std::atoi(argv[1]) : 6, threads = argc > 2 ? std::atoi(argv[2]) : 1;
  bool solve = argc > 3;
  // The icosphere: 12 vertices, triangles of mutual neighbours, split at normalised midpoints.
  std::vector<Vec> v;
  double g = (1 + std::sqrt(5.0)) / 2;
  for (double s : {-1.0, 1.0})
    for (double t : {-1.0, 1.0})
      for (Vec q : {Vec{0, s, t * g}, Vec{s, t * g, 0}, Vec{t * g, 0, s}}) {
        double l = length(q);
        v.push_back({q[0] / l, q[1] / l, q[2] / l});
      }
  double near = 1e9;
  for (size_t i = 1; i < v.size(); ++i) near = std::min(near, length(minus(v[0], v[i])));
  auto adjacent = [&](int i, int j) { return length(minus(v[i], v[j])) < 1.01 * near; };
  std::vector<std::array<int, 3>> faces;
  for (int i = 0; i < 12; ++i)
    for (int j = i + 1; j < 12; ++j)
      for (int k = j + 1; k < 12; ++k)
        if (adjacent(i, j) && adjacent(j, k) && adjacent(i, k)) faces.push_back({i, j, k});
  for (int l = 0; l < level; ++l) {
    std::map<std::pair<int, int>, int> middle;
    auto mid = [&](int a, int b) {
      auto [it, fresh] = middle.insert({std::minmax(a, b), int(v.size())});
      if (fresh) {
        Vec m = {(v[a][0] + v[b][0]) / 2, (v[a][1] + v[b][1]) / 2, (v[a][2] + v[b][2]) / 2};
        double n = length(m);
        v.push_back({m[0] / n, m[1] / n, m[2] / n});
      }
      return it->second;
    };
    std::vector<std::array<int, 3>> next;
    for (auto [a, b, c] : faces) {
      int x = mid(a, b), y = mid(b, c), z = mid(c, a);
      next.insert(next.end(), {{a, x, z}, {b, y, x}, {c, z, y}, {x, y, z}});
    }
    faces = next;
  }
  std::vector<std::set<int>> neighbours(v.size());
  for (auto [a, b, c] : faces)
    for (auto [i, j] : {std::pair{a, b}, {b, c}, {c, a}}) neighbours[i].insert(j), neighbours[j].insert(i);
  Vec mean{};
  for (auto& q : v)
    for (int c = 0; c < 3; ++c) mean[c] += q[c] / v.size();
  double edges = 0, total = 0;
  for (size_t i = 0; i < v.size(); ++i)
    for (int j : neighbours[i])
      if (int(i) < j) edges += 1, total += length(minus(v[i], v[j]));
  for (auto& q : v)
    for (int c = 0; c < 3; ++c) q[c] = (q[c] - mean[c]) / (total / edges);
  std::vector<Vec> x = v;
  for (size_t i = 0; i < v.size(); ++i) {
    auto [a, b, c] = v[i];
    x[i] = {a + 0.3 * std::sin(3 * b + 2 * c), b + 0.3 * std::sin(3 * c + 2 * a + 1), c + 0.3 * std::sin(3 * a + 2 * b + 2)};
  }

  ceres::Problem problem;
  std::vector<std::pair<ceres::CostFunction*, std::vector<double*>>> blocks;
  auto add = [&](ceres::CostFunction* f, std::vector<double*> p) {
    problem.AddResidualBlock(f, nullptr, p);
    blocks.push_back({f, p});
  };
  for (size_t i = 0; i < v.size(); ++i)
    for (int j : neighbours[i])
      if (int(i) < j)
        add(new ceres::AutoDiffCostFunction<EdgeLength, 1, 3, 3>(new EdgeLength{length(minus(v[i], v[j]))}),
            {x[i].data(), x[j].data()});
  for (size_t i = 0; i < v.size(); ++i) {
    std::vector<double*> p = {x[i].data()};
    for (int j : neighbours[i]) p.push_back(x[j].data());
    if (neighbours[i].size() == 5)
      add(new ceres::AutoDiffCostFunction<Laplacian<5>, 3, 3, 3, 3, 3, 3, 3>(new Laplacian<5>), p);
    else
      add(new ceres::AutoDiffCostFunction<Laplacian<6>, 3, 3, 3, 3, 3, 3, 3, 3>(new Laplacian<6>), p);
  }

  std::vector<double> buffer(3 + 7 * 9);
  double raw = 1e9, residuals_only = 1e9;
  for (int run = 0; run < 5; ++run) {
    double* jacobians[7];
    for (int k = 0; k < 7; ++k) jacobians[k] = buffer.data() + 3 + 9 * k;
    double t = now();
    for (auto& [f, p] : blocks) f->Evaluate(p.data(), buffer.data(), jacobians);
    raw = std::min(raw, now() - t);
    t = now();
    for (auto& [f, p] : blocks) f->Evaluate(p.data(), buffer.data(), nullptr);
    residuals_only = std::min(residuals_only, now() - t);
  }
  ceres::Problem::EvaluateOptions options;
  options.num_threads = threads;
  double evaluate = 1e9, cost = 0;
  for (int run = 0; run < 4; ++run) {
    std::vector<double> residuals;
    ceres::CRSMatrix jacobian;
    double t = now();
    problem.Evaluate(options, &cost, &residuals, nullptr, &jacobian);
    evaluate = std::min(evaluate, now() - t);
  }
  std::printf("{\"level\": %d, \"threads\": %d, \"cost\": %.12g, \"raw_residuals_ms\": %.3f, \"raw_jacobian_ms\": %.3f, "
              "\"evaluate_ms\": %.3f",
              level, threads, cost, 1e3 * residuals_only, 1e3 * raw, 1e3 * evaluate);
  if (solve) {
    ceres::Solver::Options o;
    o.linear_solver_type = ceres::SPARSE_NORMAL_CHOLESKY;
    o.num_threads = threads;
    o.function_tolerance = o.gradient_tolerance = o.parameter_tolerance = 1e-12;
    o.max_num_iterations = 200;
    o.logging_type = ceres::SILENT;
    ceres::Solver::Summary s;
    double t = now();
    ceres::Solve(o, &problem, &s);
    int steps = s.num_successful_steps + s.num_unsuccessful_steps - 1;
    std::printf(", \"solve_ms\": %.1f, \"final_cost\": %.12g, \"iterations\": %d, \"jacobian_ms\": %.3f, \"linear_ms\": %.1f",
                1e3 * (now() - t), s.final_cost, steps, 1e3 * s.jacobian_evaluation_time_in_seconds / (s.num_successful_steps),
                1e3 * s.linear_solver_time_in_seconds / std::max(1, steps));
  }
  std::printf("}\n");
}
