// A bundle adjustment of BAL's format in Ceres, for a side-by-side with isograd on one machine.
//
//   g++ -O3 -march=native -std=c++17 -I/usr/include/eigen3 benches/peers/ceres_bundle.cpp -o ceres_bundle -lceres -lglog
//   gzip -dc problem.txt.gz > problem.txt; ./ceres_bundle problem.txt THREADS [sparse] [huber]
//
// Debian packages: libceres-dev libeigen3-dev libgoogle-glog-dev. Prints iterations, cost and the seconds of the whole solve to tolerances
// of 1e-12, and of Ceres's own residuals, Jacobians and linear solves.
#include <ceres/ceres.h>
#include <ceres/rotation.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

struct Reprojection {
  double x, y;
  template <typename T>
  bool operator()(const T* camera, const T* point, T* r) const {
    T p[3];
    ceres::AngleAxisRotatePoint(camera, point, p);
    p[0] += camera[3];
    p[1] += camera[4];
    p[2] += camera[5];
    const T u = -p[0] / p[2], v = -p[1] / p[2];
    const T n = u * u + v * v;
    const T scale = camera[6] * (1.0 + n * (camera[7] + camera[8] * n));
    r[0] = scale * u - x;
    r[1] = scale * v - y;
    return true;
  }
};

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: ceres_bundle FILE THREADS [sparse] [huber]\n"), 1;
  std::FILE* file = std::fopen(argv[1], "r");
  if (!file) return std::perror(argv[1]), 1;
  int cameras, points, observations;
  if (std::fscanf(file, "%d %d %d", &cameras, &points, &observations) != 3) return 1;
  std::vector<int> camera(observations), point(observations);
  std::vector<double> pixels(2 * observations), x(9 * cameras + 3 * points);
  for (int k = 0; k < observations; ++k) {
    if (std::fscanf(file, "%d %d %lf %lf", &camera[k], &point[k], &pixels[2 * k], &pixels[2 * k + 1]) != 4) return 1;
  }
  for (double& number : x) {
    if (std::fscanf(file, "%lf", &number) != 1) return 1;
  }
  bool sparse = false, huber = false;
  for (int k = 3; k < argc; ++k) {
    sparse |= !std::strcmp(argv[k], "sparse");
    huber |= !std::strcmp(argv[k], "huber");
  }
  const auto start = std::chrono::steady_clock::now();
  ceres::Problem problem;
  for (int k = 0; k < observations; ++k) {
    auto* cost = new ceres::AutoDiffCostFunction<Reprojection, 2, 9, 3>(
        new Reprojection{pixels[2 * k], pixels[2 * k + 1]});
    problem.AddResidualBlock(cost, huber ? new ceres::HuberLoss(1.0) : nullptr, &x[9 * camera[k]],
                             &x[9 * cameras + 3 * point[k]]);
  }
  ceres::Solver::Options options;
  options.linear_solver_type = sparse ? ceres::SPARSE_SCHUR : ceres::DENSE_SCHUR;
  options.num_threads = std::atoi(argv[2]);
  options.max_num_iterations = 200;
  options.function_tolerance = options.gradient_tolerance = options.parameter_tolerance = 1e-12;
  options.logging_type = ceres::SILENT;
  ceres::Solver::Summary summary;
  ceres::Solve(options, &problem, &summary);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%d iterations, cost %.6f, whole %.3f s, solver %.3f s (residuals %.3f, jacobians %.3f, linear %.3f)\n",
              int(summary.iterations.size()) - 1, summary.final_cost, seconds, summary.total_time_in_seconds,
              summary.residual_evaluation_time_in_seconds, summary.jacobian_evaluation_time_in_seconds,
              summary.linear_solver_time_in_seconds);
}
