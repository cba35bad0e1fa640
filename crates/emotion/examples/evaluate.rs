//! `evaluate MODEL MANIFEST ROOT [key=value ...]`: evaluates a model without the `sidetone` binary; JSON on standard
//! output.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use sidetone_emotion::{
    corpus::{Band, Manifest},
    eval::{EvalOptions, evaluate},
    model::Model,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut path =
        || arguments.next().map(PathBuf::from).ok_or("usage: evaluate MODEL MANIFEST ROOT [key=value ...]");
    let (model, mut manifest, root) = (Model::open(&path()?)?, Manifest::read(&path()?)?, path()?);
    let mut options = EvalOptions::default();
    for argument in arguments {
        let (key, value) = argument.split_once('=').ok_or("options are key=value")?;
        match key {
            "band" => options.band = Band::from_name(value).ok_or("no such band")?,
            "loss" => options.loss = value.parse()?,
            "gain" => options.gain_db = value.parse()?,
            "draws" => options.draws = value.parse()?,
            "wide" => options.against_wide = value == "yes",
            "corpora" => {
                let names: Vec<&str> = value.split(',').collect();
                manifest = manifest.filtered(|entry| names.contains(&entry.corpus.as_str()));
            }
            other => return Err(format!("no option {other}").into()),
        }
    }
    let evaluation = evaluate(&model, &manifest, &root, &options, &mut |_, _| {})?;
    println!("{}", serde_json::to_string_pretty(&evaluation)?);
    Ok(())
}
