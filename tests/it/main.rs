//! The integration tests, one module a topic, in one program: each program would link the whole engine again.

mod common;

mod accuracy;
mod anytime;
mod axioms;
mod backward_rules;
mod baselines;
mod behaviours;
mod cases;
mod cli;
mod conformance;
mod control_flow;
mod docs;
mod engine;
mod families;
mod fashion_mnist;
mod gpu;
mod gradient_methods;
mod inputs;
mod limits;
mod metrics;
mod operator_gradients;
mod perturbation;
mod photographs;
mod pictures;
mod proof;
mod random_networks;
mod real_networks;
mod runtime;
mod small_pictures;
mod sound;
mod statistics;
mod text;
mod words;
mod zoo;
