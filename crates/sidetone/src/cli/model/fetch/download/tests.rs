use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::*;

const CONTENT: &[u8] = b"all the weights that there are";

/// A server that gives these answers, one connection each, and says what it was asked.
fn server(answers: Vec<Vec<u8>>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (told, asked) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let lines =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            told.send(lines.collect::<Vec<_>>().join("\n")).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    (address, asked)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n").as_bytes(), body].concat()
}

fn whole(length: usize) -> Vec<u8> {
    answer("200 OK", &format!("content-length: {length}\r\n"), CONTENT)
}

fn remote(address: &str) -> Remote {
    Remote {
        address: format!("{address}/weights"),
        name: "weights".to_owned(),
        bytes: Some(CONTENT.len() as u64),
        sha256: Some(hex(&Sha256::digest(CONTENT))),
    }
}

fn fetch(file: &Remote, folder: &Path) -> anyhow::Result<Vec<u8>> {
    download(file, folder, &ProgressBar::hidden()).map(|path| std::fs::read(path).unwrap())
}

#[test]
fn a_file_comes_whole_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _asked) = server(vec![whole(CONTENT.len())]);
    assert_eq!(fetch(&remote(&address), folder.path()).unwrap(), CONTENT);
    assert!(!folder.path().join("weights.part").exists());
}

#[test]
fn a_connection_that_breaks_is_gone_on_with_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut broken = whole(CONTENT.len());
    broken.truncate(broken.len() - 12);
    let had = CONTENT.len() - 12;
    let range = format!("content-range: bytes {had}-29/30\r\ncontent-length: 12\r\n");
    let (address, asked) = server(vec![broken, answer("206 Partial Content", &range, &CONTENT[had..])]);
    assert_eq!(fetch(&remote(&address), folder.path()).unwrap(), CONTENT);
    assert!(!asked.recv().unwrap().contains("range:"));
    assert!(asked.recv().unwrap().contains(&format!("range: bytes={had}-")));
}

#[test]
fn a_part_of_an_earlier_run_is_used_even_if_the_server_starts_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("weights.part"), b"all the").unwrap();
    let (address, asked) = server(vec![whole(CONTENT.len())]);
    assert_eq!(fetch(&remote(&address), folder.path()).unwrap(), CONTENT);
    assert!(asked.recv().unwrap().contains("range: bytes=7-"));
}

#[test]
fn another_file_is_refused_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = whole(CONTENT.len());
    *other.last_mut().unwrap() = b'!';
    let (address, _asked) = server(vec![other]);
    let error = format!("{:#}", fetch(&remote(&address), folder.path()).unwrap_err());
    assert!(error.contains("SHA-256") && error.contains("refused"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_is_too_long_is_refused_before_it_fills_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let long = answer("200 OK", "", &[b'x'; 4096]);
    let (address, _asked) = server(vec![long]);
    let error = fetch(&remote(&address), folder.path()).unwrap_err().to_string();
    assert!(error.contains("longer than 30 bytes"), "{error}");
    assert_eq!(std::fs::metadata(folder.path().join("weights.part")).unwrap().len(), 0);
}

#[test]
fn redirects_are_followed_but_not_in_circles_and_not_to_plain_http_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let to = |place: &str| answer("302 Found", &format!("location: {place}\r\ncontent-length: 0\r\n"), b"");
    let (address, asked) = server(vec![to("/elsewhere?key=1"), whole(CONTENT.len())]);
    assert_eq!(fetch(&remote(&address), folder.path()).unwrap(), CONTENT);
    assert!(asked.iter().nth(1).unwrap().starts_with("GET /elsewhere?key=1"));

    let (address, _asked) = server(vec![to("/weights"); 6]);
    let error = fetch(&remote(&address), folder.path()).unwrap_err().to_string();
    assert!(error.contains("more than 5 times"), "{error}");

    let (address, _asked) = server(vec![to("http://weights.example/w")]);
    let error = fetch(&remote(&address), folder.path()).unwrap_err().to_string();
    assert!(error.contains("not https"), "{error}");
}

#[test]
fn an_answer_that_is_no_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _asked) = server(vec![answer("404 Not Found", "content-length: 0\r\n", b"")]);
    let error = fetch(&remote(&address), folder.path()).unwrap_err().to_string();
    assert!(error.contains("404 Not Found"), "{error}");
    let error = fetch(&remote("ftp://weights.example"), folder.path()).unwrap_err().to_string();
    assert!(error.contains("not https"), "{error}");
}

#[test]
fn two_fetches_do_not_write_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let held = File::create(folder.path().join("weights.part")).unwrap();
    held.try_lock().unwrap();
    let error = fetch(&remote("http://127.0.0.1:9"), folder.path()).unwrap_err().to_string();
    assert!(error.contains("another sidetone"), "{error}");
}
