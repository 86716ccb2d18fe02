use std::io::{self, BufRead};

/// The mean of numbers, or nothing where there are none.
fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

fn main() {
    let numbers: Vec<f64> = io::stdin().lock().lines().map_while(Result::ok).filter_map(|line| line.parse().ok()).collect();
    match mean(&numbers) {
        Some(value) => println!("{value}"),
        None => eprintln!("no numbers"),
    }
}
