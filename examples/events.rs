//! Events: each group that subscribed gets each event once, at its own pace. `cargo run --example events [DROP]`

#![allow(clippy::print_stdout)]

use filedrop::{DropFolder, Id, Job, Submission, Subscription};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let drop = DropFolder::init(std::env::args().nth(1).unwrap_or_else(|| "drop".to_owned()))?;

    // From now on these groups get what they ask for, whether they are up or not.
    let (billing, audit): (Id, Id) = ("billing".parse()?, "audit".parse()?);
    drop.subscribe(&billing, &Subscription::new(["orders.*".parse()?])?)?;
    drop.subscribe(&audit, &Subscription::new([">".parse()?])?)?;

    drop.publish(Submission::event("orders.created".parse()?).data(r#"{"order":7}"#))?;
    drop.publish(Submission::event("users.created".parse()?).data(r#"{"user":1}"#))?;

    for group in [billing, audit] {
        let name = group.clone();
        let handler = move |event: Job| {
            println!("{name} handles {}", event.kind());
            async { Ok::<_, std::convert::Infallible>("noted") }
        };
        let summary = drop.subscriber(&group)?.drain(true).run(handler).await?;
        println!("{group} handled {}", summary.succeeded);
    }
    Ok(())
}
