//! Asynchronous request and response: any instance of the service that asked may take the outcome. `cargo run --example
//! request_response [DROP]`

#![allow(clippy::print_stdout)]

use filedrop::{DropFolder, Id, Job, Outcome, Submission};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "drop".to_owned());
    let billing: Id = "billing".parse()?;

    // One instance of the billing service asks, and may then be restarted, or die.
    let asking = DropFolder::init(&path)?;
    for order in 1..=3 {
        asking.submit(Submission::new("quote").reply_to(&billing).data(format!("{order}")))?;
    }
    drop(asking);

    // Another service answers.
    let answering = DropFolder::open(&path)?;
    let quote = async |job: Job| -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let order: u32 = std::str::from_utf8(job.data())?.parse()?;
        Ok(format!("order {order} costs {}", order * 100))
    };
    answering.consumer().drain(true).run(quote).await?;

    // Whichever instance of billing comes by takes each answer, once.
    let another = DropFolder::open(&path)?;
    let note = async |answer: Outcome| {
        println!("{}", String::from_utf8_lossy(answer.data()));
        Ok::<_, std::convert::Infallible>(())
    };
    let collected = another.collector(&billing)?.each(note).await?;
    println!("{} answers", collected.succeeded);
    Ok(())
}
