//! Kernels on a device compute what the CPU computes, in every number format, however sums are formed and problems are cut.

mod accumulation;
mod accurate;
mod energies;
#[path = "../expressions/mod.rs"]
mod expressions;
#[path = "../gpu_support/mod.rs"]
mod gpu_support;
mod gradients;
mod graphs;
mod limits;
mod lists;
mod models;
mod operations;
mod orders;
mod precision;
mod products;
mod reference;
mod samples;
#[path = "../scattered_grid/mod.rs"]
mod scattered_grid;
mod starts;

fn main() {
    gpu_support::main(vec![
        ("double_f32_passes_its_self_test", limits::double_f32_passes_its_self_test),
        ("operations_in_f64", operations::in_f64),
        ("operations_in_double_f32", operations::in_double_f32),
        ("operations_in_f32", operations::in_f32),
        ("precision_of_f64", precision::of_f64),
        ("precision_of_double_f32", precision::of_double_f32),
        ("precision_of_f32", precision::of_f32),
        ("random_graphs_in_f64", graphs::in_f64),
        ("random_graphs_in_double_f32", graphs::in_double_f32),
        ("random_graphs_in_f32", graphs::in_f32),
        ("atomic_and_gathered_sums_agree", accumulation::atomic_and_gathered_sums_agree),
        ("atomic_sums_of_64_bits_exchange_or_gather", accumulation::atomic_sums_of_64_bits_exchange_or_gather),
        ("gathered_sums_are_the_same_bits_every_time", accumulation::gathered_sums_are_the_same_bits_every_time),
        ("long_lists_and_large_blocks", accumulation::long_lists_and_large_blocks),
        ("held_parameters_have_no_sums", accumulation::held_parameters_have_no_sums),
        ("energies_of_an_icosphere", energies::of_an_icosphere),
        ("energies_of_a_mesh_with_boundary", energies::of_a_mesh_with_boundary),
        ("gradient_of_developable", models::developable),
        ("gradient_of_bundles", models::bundle),
        ("gradient_of_planar_pose_graphs", models::planar_pose_graph),
        ("gradient_of_spatial_pose_graphs", models::spatial_pose_graph),
        ("gradient_of_curves", models::curves),
        ("assembled_and_not_agree_on_meshes", products::assembled_and_not_agree_on_meshes),
        ("assembled_and_not_agree_on_blocks_of_all_sizes", products::assembled_and_not_agree_on_blocks_of_all_sizes),
        (
            "assembled_and_not_agree_on_multiples_of_the_identity",
            products::assembled_and_not_agree_on_multiples_of_the_identity,
        ),
        ("begun_early_are_the_same_bits", starts::begun_early_are_the_same_bits),
        ("mixed_blocks_begun_early_are_the_same_bits", starts::mixed_blocks_begun_early_are_the_same_bits),
        ("lists_of_a_mesh_are_the_same_from_the_device", lists::lists_of_a_mesh_are_the_same_from_the_device),
        ("long_lists_are_left_to_the_host", lists::long_lists_are_left_to_the_host),
        ("orders_of_a_mesh_are_the_same_from_the_device", orders::orders_of_a_mesh_are_the_same_from_the_device),
        ("orders_of_a_tangle_are_the_same_from_the_device", orders::orders_of_a_tangle_are_the_same_from_the_device),
        (
            "orders_are_left_to_the_host_where_blocks_are_eliminated",
            orders::orders_are_left_to_the_host_where_blocks_are_eliminated,
        ),
        (
            "orders_that_the_device_does_not_find_are_left_to_the_host",
            orders::orders_that_the_device_does_not_find_are_left_to_the_host,
        ),
        ("small_bindings_make_shards", limits::small_bindings_make_shards),
        ("parameters_have_to_fit_a_binding", limits::parameters_have_to_fit_a_binding),
        ("workgroups_fill_two_dimensions", limits::workgroups_fill_two_dimensions),
        ("steps_fill_two_dimensions", limits::steps_fill_two_dimensions),
        ("a_residual_that_is_not_finite_is_named", limits::a_residual_that_is_not_finite_is_named),
        ("points_of_the_wrong_length_are_refused", limits::points_of_the_wrong_length_are_refused),
    ]);
}
