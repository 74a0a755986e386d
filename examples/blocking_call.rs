//! The blocking call: as a function call, but if the caller dies, the outcome is not lost. `cargo run --example blocking_call [DROP]`

#![allow(clippy::print_stdout)]

use std::time::Duration;

use filedrop::{DropFolder, Job, Submission};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let drop = DropFolder::init(std::env::args().nth(1).unwrap_or_else(|| "drop".to_owned()))?;

    let consumer = drop.consumer();
    let stopper = consumer.stopper();
    let add = async |job: Job| -> Result<String, serde_json::Error> {
        let numbers: Vec<i64> = serde_json::from_slice(job.data())?;
        Ok(numbers.iter().sum::<i64>().to_string())
    };
    let running = tokio::spawn(consumer.run(add));

    // As many at once as you like: they share one watch.
    let calls = (1..=5).map(|n| {
        let drop = drop.clone();
        tokio::spawn(async move {
            let job = Submission::new("add").data(format!("[{n}, 10]"));
            drop.call(job, Some(Duration::from_secs(60))).await
        })
    });
    for call in calls.collect::<Vec<_>>() {
        println!("{}", String::from_utf8_lossy(call.await??.data()));
    }

    stopper.stop();
    running.await??;
    Ok(())
}
