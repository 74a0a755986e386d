//! Common data: dropped now, handled later, by one of any number of consumers. `cargo run --example common_data [DROP]`

#![allow(clippy::print_stdout)]

use filedrop::{DropFolder, Job, Submission};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let drop = DropFolder::init(std::env::args().nth(1).unwrap_or_else(|| "drop".to_owned()))?;

    // Now, by a program that then ends:
    for order in 1..=10 {
        drop.submit(Submission::new("order").data(format!(r#"{{"order":{order}}}"#)))?;
    }

    // Later, by as many programs as you like, on all machines that see the folder:
    let bill = async |job: Job| -> Result<String, std::str::Utf8Error> {
        Ok(format!("billed {}", std::str::from_utf8(job.data())?))
    };
    let summary = drop.consumer().concurrency(4).drain(true).run(bill).await?;
    println!("{} orders are billed", summary.succeeded);
    Ok(())
}
