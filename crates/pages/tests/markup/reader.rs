//! Reads a page strictly: every element closed where it was opened, attributes quoted, one `h1`, labels for fields,
//! and nothing that the content security policy would refuse.

use std::collections::HashSet;

const VOID: [&str; 5] = ["meta", "link", "input", "br", "hr"];

struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

/// The first fault of a page, in words.
pub(crate) fn check(html: &str, language: &str) -> Result<(), String> {
    let body = html.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    let tags = read(body)?;
    let named = |name: &'static str| tags.iter().filter(move |tag| tag.name == name);
    let once = ["html", "head", "body", "h1", "main", "header"];
    if let Some(name) = once.into_iter().find(|name| named(name).count() != 1) {
        return Err(format!("{} × {name}", named(name).count()));
    }
    if named("html").next().and_then(|tag| tag.get("lang")) != Some(language) {
        return Err("wrong lang".into());
    }
    // Drawings have titles too.
    if named("title").next().is_none() {
        return Err("no title".into());
    }
    let mut ids = HashSet::new();
    for tag in &tags {
        if let Some(id) = tag.get("id")
            && (id.is_empty() || !ids.insert(id.to_owned()))
        {
            return Err(format!("id {id} twice"));
        }
        policy(tag)?;
    }
    let labelled: HashSet<_> = named("label").filter_map(|tag| tag.get("for")).collect();
    for field in tags.iter().filter(|tag| matches!(tag.name.as_str(), "input" | "select")) {
        let hidden = field.get("type") == Some("hidden");
        if !hidden && !field.get("id").is_some_and(|id| labelled.contains(id)) {
            return Err(format!("a field without a label: {:?}", field.attributes));
        }
    }
    for tag in &tags {
        let described = tag.get("aria-describedby").is_none_or(|id| ids.contains(id));
        if !described
            || tag.name == "svg" && tag.get("role") != Some("img") && tag.get("aria-hidden") != Some("true")
        {
            return Err(format!("{} {:?} is not described", tag.name, tag.attributes));
        }
    }
    if named("form").filter(|form| form.get("method") == Some("post")).count()
        != named("input").filter(|field| field.get("name") == Some("csrf")).count()
    {
        return Err("a form without its token".into());
    }
    Ok(())
}

/// What the content security policy would refuse, and links away from this server.
fn policy(tag: &Tag) -> Result<(), String> {
    for (name, value) in &tag.attributes {
        let elsewhere = matches!(name.as_str(), "href" | "src" | "action" | "data-fragment" | "data-events")
            && !(value.starts_with('#') || value.starts_with('/') && !value.starts_with("//"));
        if name == "style" || name.starts_with("on") || elsewhere {
            return Err(format!("{}: {name}=\"{value}\"", tag.name));
        }
    }
    let inline = tag.name == "style" || tag.name == "script" && tag.get("src").is_none();
    if inline { Err(format!("inline {}", tag.name)) } else { Ok(()) }
}

/// The tags of a text whose elements are balanced.
fn read(html: &str) -> Result<Vec<Tag>, String> {
    let mut tags = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        if rest[..start].contains('>') {
            return Err(format!("a stray > before {:.40}", &rest[start..]));
        }
        let end = rest[start..].find('>').ok_or("an open tag")? + start;
        let inside = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Err(format!("</{name}> closes nothing before {rest:.60}"));
            }
            continue;
        }
        let tag = tag(inside)?;
        if tag.name == "script" {
            rest = rest.strip_prefix("</script>").ok_or("a script with text")?;
        } else if !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        tags.push(tag);
    }
    if open.is_empty() { Ok(tags) } else { Err(format!("open at the end: {open:?}")) }
}

fn tag(inside: &str) -> Result<Tag, String> {
    let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(format!("<{inside}>"));
    }
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !rest.is_empty() {
        let length = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') || name.is_empty() {
            return Err(format!("attribute {name:?} in <{inside}>"));
        }
        let (value, after) = match after.strip_prefix("=\"") {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| format!("an open quote in <{inside}>"))?,
            None => ("", after),
        };
        if attributes.iter().any(|(it, _)| it == name) {
            return Err(format!("{name} twice in <{inside}>"));
        }
        attributes.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    Ok(Tag { name: name.to_owned(), attributes })
}
