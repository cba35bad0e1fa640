//! `train MANIFEST ROOT OUT [key=value ...]`: trains a model without the `sidetone` binary.
#![allow(clippy::print_stdout)]

use std::{path::PathBuf, time::Instant};

use sidetone_emotion::{
    model::Licence,
    train::{Progress, TrainOptions, train},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut path =
        || arguments.next().map(PathBuf::from).ok_or("usage: train MANIFEST ROOT OUT [key=value ...]");
    let mut options = TrainOptions::new(path()?, path()?, path()?);
    for argument in arguments {
        let (key, value) = argument.split_once('=').ok_or("options are key=value")?;
        let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        match key {
            "seed" => options.seed = value.parse()?,
            "epochs" => options.epochs = value.parse()?,
            "patience" => options.patience = value.parse()?,
            "batch" => options.batch = value.parse()?,
            "rate" => options.rate = value.parse()?,
            "dropout" => options.dropout = value.parse()?,
            "most" => options.most_clips = value.parse()?,
            "name" => options.name = value.into(),
            "licence" => options.licence = if value == "open" { Licence::Open } else { Licence::Research },
            "corpora" => options.corpora = list(),
            "test" => options.test = list(),
            "validation" => options.validation = list(),
            "variants" => options.variants = value.parse()?,
            "teacher" => options.teacher = Some(value.into()),
            "taught" => options.teacher_weight = value.parse()?,
            "summary" => options.summary_weight = value.parse()?,
            "pool" => options.pool = value.parse()?,
            "most-of" => {
                options.most_of = list()
                    .iter()
                    .filter_map(|one| one.split_once(':'))
                    .map(|(corpus, clips)| Ok((corpus.to_owned(), clips.parse()?)))
                    .collect::<Result<_, std::num::ParseIntError>>()?;
            }
            "frozen" => options.frozen = value.parse()?,
            "manner" => options.caller = value.parse()?,
            "shares" => options.shares_weight = value.parse()?,
            "from" => options.start = Some(value.into()),
            "cache" => options.teacher_cache = Some(value.into()),
            "least" => options.least_clips = value.parse()?,
            "averaging" => options.averaging = value.parse()?,
            "decay" => options.weight_decay = value.parse()?,
            "augment" => options.augmentation = serde_json::from_str(value)?,
            "stem" => options.network.stem = value.parse()?,
            "channels" => options.network.channels = value.parse()?,
            "hidden" => options.network.hidden = value.parse()?,
            "dilations" => {
                options.network.dilations = list().iter().map(|x| x.parse()).collect::<Result<_, _>>()?;
            }
            other => return Err(format!("no option {other}").into()),
        }
    }
    let start = Instant::now();
    let report = train(&options, &mut |progress| {
        match progress {
            Progress::Epoch(epoch) => println!("{:6.0} s {epoch:?}", start.elapsed().as_secs_f32()),
            Progress::Loading { done, of } if done == of => {
                println!("{:6.0} s {of} clips read", start.elapsed().as_secs_f32());
            }
            Progress::Teaching { done, of } if done % 320 == 0 || done == of => {
                println!("{:6.0} s taught {done} of {of}", start.elapsed().as_secs_f32());
            }
            Progress::Step { epoch: 1, done, of, loss } if done % 10 == 0 => {
                println!("{:6.0} s {done}/{of} {loss}", start.elapsed().as_secs_f32());
            }
            _ => {}
        }
        true
    })?;
    println!("{:6.0} s: epoch {} kept", start.elapsed().as_secs_f32(), report.best);
    println!("{}", std::fs::read_to_string(&report.card)?);
    Ok(())
}
