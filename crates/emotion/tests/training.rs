//! Training learns, replays, resumes and is evaluated, on a corpus that the test makes itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{fmt::Write as _, fs, path::Path};

use sidetone_emotion::{
    FrameMark, Listener, Model,
    corpus::{Manifest, background},
    estimate_due,
    eval::{EvalError, EvalOptions, evaluate},
    network::NetworkConfig,
    rng::Rng,
    train::{
        Progress, TrainError, TrainOptions,
        blend::{BlendError, BlendOptions, blend},
        folds::{FoldOptions, calibrate_by_folds},
        music::{MusicOptions, fit},
        train,
    },
};

/// A voice: pulses through two formants, syllable by syllable. `lively` is higher, faster and more varied.
fn voice(lively: bool, rng: &mut Rng) -> Vec<i16> {
    let base = rng.between(100.0, 180.0) * if lively { 1.6 } else { 1.0 };
    let mut pcm = Vec::new();
    let mut phase = 0.0f32;
    let (mut low, mut high) = ([0.0f32; 2], [0.0f32; 2]);
    while pcm.len() < 14_000 {
        let length = if lively { 900 + rng.below(300) } else { 1700 + rng.below(500) };
        let (first, second) = (rng.between(400.0, 800.0), rng.between(1100.0, 2100.0));
        let bend = rng.between(-0.3, 0.3) * if lively { 1.0 } else { 0.2 };
        for n in 0..length {
            let part = n as f32 / length as f32;
            phase += base * (1.0 + bend * (part - 0.5)) / 8000.0;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            let resonate = |state: &mut [f32; 2], hz: f32, x: f32| {
                let (radius, angle) = (0.96f32, std::f32::consts::TAU * hz / 8000.0);
                let y = x + 2.0 * radius * angle.cos() * state[0] - radius * radius * state[1];
                *state = [y, state[0]];
                y
            };
            let x = resonate(&mut low, first, pulse) + 0.6 * resonate(&mut high, second, pulse);
            let envelope = (std::f32::consts::PI * part).sin().max(0.1);
            pcm.push((900.0 * envelope * x + rng.between(-8.0, 8.0)).clamp(-30000.0, 30000.0) as i16);
        }
    }
    pcm
}

fn make_corpus(root: &Path) {
    let mut rng = Rng::new(3);
    let mut table = String::from("path,emotion,speaker,corpus,sex\n");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    for speaker in 0..8 {
        for clip in 0..8 {
            let lively = clip % 2 == 0;
            let name = format!("{speaker}-{clip}.wav");
            let mut file = hound::WavWriter::create(root.join(&name), spec).unwrap();
            voice(lively, &mut rng).into_iter().for_each(|x| file.write_sample(x).unwrap());
            file.finalize().unwrap();
            let emotion = if lively { "anger" } else { "neutral" };
            writeln!(table, "{name},{emotion},speaker{speaker},made,{}", if speaker < 4 { "f" } else { "m" })
                .unwrap();
        }
    }
    fs::write(root.join("clips.csv"), table).unwrap();
}

fn options(root: &Path, out: &str) -> TrainOptions {
    let mut options = TrainOptions::new(root.join("clips.csv"), root.to_owned(), root.join(out));
    options.network = NetworkConfig {
        inputs: 112,
        stem: 16,
        channels: 24,
        dilations: vec![1, 2],
        heads: 2,
        hidden: 16,
        caller: false,
        music: false,
    };
    options.epochs = 4;
    options.batch = 8;
    options.rate = 6e-3;
    options
}

#[test]
fn training_learns_replays_resumes_and_is_judged_on_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    make_corpus(root);
    let manifest = Manifest::read(&root.join("clips.csv")).unwrap();

    let whole = train(&options(root, "whole"), &mut |_| true).unwrap();
    assert_eq!(whole.history.len(), 4);
    assert!(whole.test["made"] > 0.8, "{:?}", whole.test);
    assert!(fs::read_to_string(&whole.card).unwrap().contains("| made | 2 (native) |"));

    // Stopped after two epochs and taken up again, it ends in the same file.
    let stopped = train(
        &options(root, "parts"),
        &mut |progress| !matches!(progress, Progress::Epoch(epoch) if epoch.epoch == 2),
    )
    .unwrap();
    assert_eq!(stopped.history.len(), 2);
    let resumed = train(&options(root, "parts"), &mut |_| true).unwrap();
    assert_eq!(resumed.history.len(), 4);
    let sum = |path: &Path| Model::open(path).unwrap().sha256().to_owned();
    assert_eq!(sum(&whole.model), sum(&resumed.model));

    // Another training does not take up this one's checkpoint.
    let mut other = options(root, "parts");
    other.seed = 2;
    assert!(matches!(train(&other, &mut |_| true), Err(TrainError::OtherCheckpoint { .. })));

    // Evaluation leaves the known speakers out, and finds no leak of level or length in the made corpus.
    let model = Model::open(&whole.model).unwrap();
    let options = EvalOptions { draws: 50, ..EvalOptions::default() };
    let evaluation = evaluate(&model, &manifest, root, &options, &mut |_, _| {}).unwrap();
    assert_eq!(evaluation.heard_before, 8 * (whole.split.train.len() + whole.split.validation.len()));
    let made = &evaluation.corpora[0];
    assert_eq!(made.clips, 8 * whole.split.test.len());
    let uar = made.sets[0].uar.unwrap();
    assert!(uar.low <= uar.value && uar.value <= uar.high && uar.value > 0.8);
    assert!(made.alarm_against_calm.unwrap().value > 0.8);
    assert!(serde_json::to_string(&evaluation).unwrap().contains("calibration_error"));

    let known = manifest.filtered(|entry| whole.split.train.contains(&entry.speaker));
    let nothing = evaluate(&model, &known, root, &options, &mut |_, _| {});
    assert!(matches!(nothing, Err(EvalError::Nothing { heard_before, unmapped: 0 }) if heard_before > 0));
}

#[test]
fn a_model_that_heard_everybody_is_calibrated_by_those_that_did_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    make_corpus(root);
    let without = |names: &[&str], out: &str| {
        let mut options = options(root, out);
        options.epochs = 2;
        options.validation = vec!["none".into()];
        options.test = names.iter().map(|name| (*name).to_owned()).collect();
        options
    };
    let all = train(&without(&["speaker7"], "all"), &mut |_| true).unwrap();
    let fold = train(&without(&["speaker7", "speaker0", "speaker4"], "fold"), &mut |_| true).unwrap();
    assert_eq!(all.best, 2, "with nobody to ask, the last epoch is kept");

    let mut options = FoldOptions {
        model: all.model.clone(),
        folds: vec![fold.model],
        manifest: root.join("clips.csv"),
        root: root.to_owned(),
        out: root.join("calibrated"),
        recipe: "Made for a test.".into(),
        most_clips: 100,
        keep_distress: false,
    };
    let report = calibrate_by_folds(&options, &mut |_| true).unwrap();
    // The two that the fold has not heard; the one that neither has is for testing alone.
    assert_eq!(report.clips, 16);
    assert_ne!(report.calibration.temperature, 1.0);
    let calibrated = Model::open(&report.model).unwrap();
    assert_eq!(calibrated.meta().calibration, report.calibration);
    assert_eq!(calibrated.meta().held_out, ["speaker7"]);
    assert_eq!(report.evaluation.unwrap().corpora[0].clips, 8);
    assert_eq!((report.strangers[0].clips, report.strangers[0].speakers), (16, 2));
    let card = fs::read_to_string(root.join("calibrated/CARD.md")).unwrap();
    for part in
        ["Made for a test.", "sidetone model train", "16 clips of 2 speakers", "## Figures of the folds"]
    {
        assert!(card.contains(part), "{part}: {card}");
    }

    let before = Model::open(&all.model).unwrap().meta().calibration.clone();
    options.keep_distress = true;
    let kept = calibrate_by_folds(&options, &mut |_| true).unwrap().calibration;
    let scale = |of: &sidetone_emotion::model::Calibration| (of.distress_scale, of.distress_shift);
    assert_eq!((kept.temperature, scale(&kept)), (report.calibration.temperature, scale(&before)));
    assert_ne!(scale(&kept), scale(&report.calibration));

    // Whom two folds have left out only the first is asked about; the same fold again has nobody left.
    let fewer = train(&without(&["speaker7", "speaker0", "speaker1"], "fewer"), &mut |_| true).unwrap();
    options.folds.push(fewer.model);
    let report = calibrate_by_folds(&options, &mut |_| true).unwrap();
    assert_eq!((report.clips, report.strangers[0].clips), (24, 24));
    options.folds.push(options.folds[0].clone());
    assert!(matches!(calibrate_by_folds(&options, &mut |_| true), Err(TrainError::Nothing(_))));

    // A fold that has heard everybody can't calibrate.
    options.folds = vec![all.model.clone()];
    assert!(matches!(calibrate_by_folds(&options, &mut |_| true), Err(TrainError::Nothing(_))));

    // Who was heard by the model before is heard, even if now named for testing.
    let mut later = without(&["speaker0", "speaker7"], "later");
    later.start = Some(all.model);
    let later = train(&later, &mut |_| true).unwrap();
    assert_eq!(Model::open(&later.model).unwrap().meta().held_out, ["speaker7"]);
}

#[test]
fn a_network_that_knows_no_manners_learns_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    make_corpus(root);
    let mut before = options(root, "before");
    before.epochs = 2;
    let before = train(&before, &mut |_| true).unwrap();
    let model = Model::open(&before.model).unwrap();
    assert!(!model.network().config().caller && model.meta().beside_manner.is_none());

    let further = |out: &str| {
        let mut options = options(root, out);
        (options.start, options.caller, options.epochs) = (Some(before.model.clone()), true, 3);
        options.variants = 2;
        options
    };
    let after = train(&further("after"), &mut |_| true).unwrap();
    assert!(after.history[0].validation.contains_key("made, manner known"), "{:?}", after.history[0]);
    let model = Model::open(&after.model).unwrap();
    assert!(model.network().config().caller && model.meta().beside_manner.is_some());
    let learnt =
        model.network().tensors().unwrap().into_iter().find(|(name, _)| name == "head.caller.weight");
    let largest = learnt.unwrap().1.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    let largest = largest.to_scalar::<f32>().unwrap();
    assert!(largest > 1e-3, "{largest} {:?} {}", after.history, after.best);

    // Both figures are given; the clips by which a speaker's manner is known count in one alone.
    let manifest = Manifest::read(&root.join("clips.csv")).unwrap();
    let options = EvalOptions { draws: 0, against_wide: false, ..EvalOptions::default() };
    let evaluation = evaluate(&model, &manifest, root, &options, &mut |_, _| {}).unwrap();
    let (alone, beside) = (&evaluation.corpora[0], &evaluation.manner_known[0]);
    assert_eq!(alone.speakers, beside.speakers);
    assert!(beside.clips < alone.clips && beside.clips >= 4 * beside.speakers, "{}", beside.clips);

    // Stopped and taken up again it ends in the same file.
    train(&further("parts"), &mut |progress| !matches!(progress, Progress::Epoch(epoch) if epoch.epoch == 1))
        .unwrap();
    let resumed = train(&further("parts"), &mut |_| true).unwrap();
    assert_eq!(Model::open(&resumed.model).unwrap().sha256(), model.sha256());
}

#[test]
fn a_blend_lies_between_a_model_and_what_further_training_made_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    make_corpus(root);
    let split = |out: &str, test: &[&str]| {
        let mut options = options(root, out);
        options.validation = vec!["none".into()];
        options.test = test.iter().map(|name| (*name).to_owned()).collect();
        options.epochs = 2;
        options
    };
    let before = train(&split("before", &["speaker6", "speaker7"]), &mut |_| true).unwrap();
    let mut further = split("after", &["speaker0", "speaker7"]);
    (further.start, further.caller, further.variants) = (Some(before.model.clone()), true, 2);
    let after = train(&further, &mut |_| true).unwrap();

    let mut options = BlendOptions {
        first: before.model.clone(),
        second: after.model.clone(),
        share: 0.25,
        out: root.join("blend"),
    };
    let path = blend(&options).unwrap();
    let values = |path: &Path, name: &str| -> Vec<f32> {
        let tensors = Model::open(path).unwrap().network().tensors().unwrap();
        let found = tensors.into_iter().find(|(own, _)| own == name);
        found.map_or_else(Vec::new, |(_, tensor)| tensor.flatten_all().unwrap().to_vec1().unwrap())
    };
    for name in ["stem.weight", "block0.norm.scale", "head.caller.weight"] {
        let (a, b, between) = (values(&before.model, name), values(&after.model, name), values(&path, name));
        assert_eq!(b.len(), between.len(), "{name}");
        assert!(name == "head.caller.weight" || a != b, "{name}");
        for (place, value) in between.iter().enumerate() {
            // What only the second has counts as zero in the first. Half precision rounds.
            let exact = 0.75 * a.get(place).copied().unwrap_or(0.0) + 0.25 * b[place];
            assert!((value - exact).abs() <= 1e-3 * exact.abs().max(0.1), "{name}: {value}, not {exact}");
        }
    }
    let blended = Model::open(&path).unwrap();
    // Whom either has heard it has heard.
    assert_eq!(blended.meta().held_out, ["speaker7"]);
    assert_eq!(blended.meta().heard.len(), 7);
    let card = fs::read_to_string(root.join("blend/CARD.md")).unwrap();
    for part in ["0.75 of each weight", "### The first", "### The second"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    // The second tells what it was adapted from, too.
    assert_eq!(card.matches("sidetone model train").count(), 3, "{card}");

    // A fold that hears manners calibrates a model that doesn't, and not the other way round.
    let later = train(&split("later", &["speaker1"]), &mut |_| true).unwrap();
    let mut folds = FoldOptions {
        model: later.model.clone(),
        folds: vec![path.clone()],
        manifest: root.join("clips.csv"),
        root: root.to_owned(),
        out: root.join("calibrated"),
        recipe: String::new(),
        most_clips: 100,
        keep_distress: false,
    };
    let report = calibrate_by_folds(&folds, &mut |_| true).unwrap();
    assert_eq!(report.clips, 8, "of the speaker whom the fold alone has not heard");
    assert!(Model::open(&report.model).unwrap().meta().beside_manner.is_none());
    (folds.model, folds.folds) = (path.clone(), vec![later.model]);
    let shapes = calibrate_by_folds(&folds, &mut |_| true);
    assert!(matches!(shapes, Err(TrainError::Nothing(said)) if said.contains("another shape")));

    // The whole of the second is the second.
    options.share = 1.0;
    blend(&options).unwrap();
    assert_eq!(values(&path, "stem.weight"), values(&after.model, "stem.weight"));
    options.share = f32::NAN;
    assert!(matches!(blend(&options), Err(BlendError::Share(_))));
    let mut smaller = split("smaller", &["speaker7"]);
    smaller.network.hidden = 8;
    smaller.epochs = 1;
    let smaller = train(&smaller, &mut |_| true).unwrap();
    options = BlendOptions { second: smaller.model, share: 0.5, ..options };
    assert!(matches!(blend(&options), Err(BlendError::Shapes { .. })));
}

#[test]
fn the_heads_alone_learn_and_then_one_that_tells_music_and_changes_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    make_corpus(root);
    let mut options = options(root, "before");
    options.epochs = 2;
    let before = train(&options, &mut |_| true).unwrap();
    (options.out, options.frozen) = (root.join("nothing"), true);
    assert!(
        matches!(train(&options, &mut |_| true), Err(TrainError::Nothing(_))),
        "there is no encoder to keep"
    );
    (options.out, options.start, options.seed) = (root.join("heads"), Some(before.model.clone()), 2);
    let heads = train(&options, &mut |_| true).unwrap();
    assert!(fs::read_to_string(&heads.card).unwrap().contains(" --frozen"));

    let told = fit(&MusicOptions {
        model: heads.model.clone(),
        manifest: root.join("clips.csv"),
        root: root.to_owned(),
        music: Vec::new(),
        speakers: 8,
        seed: 1,
        out: root.join("music"),
    })
    .unwrap();
    let values = |path: &Path, name: &str| -> Vec<f32> {
        let tensors = Model::open(path).unwrap().network().tensors().unwrap();
        let found = tensors.into_iter().find(|(own, _)| own == name);
        found.map_or_else(Vec::new, |(_, tensor)| tensor.flatten_all().unwrap().to_vec1().unwrap())
    };
    for name in ["stem.weight", "block1.mix.weight", "attention.score.weight"] {
        assert_eq!(values(&before.model, name), values(&heads.model, name), "{name}");
    }
    assert_ne!(values(&before.model, "head.class.weight"), values(&heads.model, "head.class.weight"));
    for name in ["stem.weight", "head.class.weight"] {
        assert_eq!(values(&heads.model, name), values(&told.model, name), "{name}");
    }
    let card = fs::read_to_string(root.join("music/CARD.md")).unwrap();
    assert!(card.contains("--frozen") && card.contains("## No voice"), "{card}");

    // As a call hears it.
    let heard = |pcm: &[i16]| {
        let permit =
            sidetone_consent::permit::RecordingPermit::new(sidetone_consent::permit::Stated::Material);
        let mut listener = Listener::new(permit, Model::open(&told.model).unwrap());
        listener.push(pcm, FrameMark::Audio);
        let all = estimate_due(&mut [&mut listener]);
        let music = |estimate: &&(usize, sidetone_call::Estimate)| {
            estimate.1.abstained == Some(sidetone_call::Abstention::Music)
        };
        (all.iter().filter(music).count(), all.len())
    };
    let mut rng = Rng::new(9);
    let music: Vec<i16> =
        (0..6).flat_map(|_| background::music(&mut rng)).map(|x| (x * 1500.0) as i16).collect();
    let voices: Vec<i16> = (0..12).flat_map(|n| voice(n % 2 == 0, &mut rng)).collect();
    let ((music, windows), (voices, spoken)) = (heard(&music), heard(&voices));
    assert!(music * 10 >= windows * 7, "{music} of {windows}");
    assert!(spoken > 20 && voices * 10 <= spoken, "{voices} of {spoken}");
}
