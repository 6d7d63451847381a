use crate::house::{Answer, House, engine, head};
use gateway_web::Options;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn headers<'a>(bearer: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![("authorization", bearer), ("content-type", "application/scim+json")];
    all.extend_from_slice(more);
    all
}

async fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ =
        tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.expect("an answer in time");
    Answer::parse(&bytes)
}

async fn small() -> House {
    House::open_with(engine(false).await, |options: &mut Options| {
        options.limits.body = 10_000;
        options.limits.bulk_body = 5_000;
        options.limits.bulk_operations = 3;
        options.limits.body_deadline = Duration::from_millis(500);
        options.limits.head = Duration::from_secs(1);
    })
    .await
}

#[tokio::test]
async fn a_filtered_listing_that_takes_too_long_is_400_too_many_and_says_what_to_do() {
    let house = House::open_with(engine(false).await, |options: &mut Options| {
        options.limits.query = Duration::ZERO;
    })
    .await;
    for number in 0..70 {
        house.user(&format!("tp{number}")).await;
    }

    let slow = house.get("/Users?filter=title%20co%20%22nurse%22").await;

    assert_eq!(slow.error(), (400, "tooMany".to_owned()));
    assert!(slow.json()["detail"].as_str().unwrap().contains("userName"), "it says what to do: {:?}", slow.json());
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_413_before_it_is_sent() {
    let house = small().await;
    let bearer = format!("Bearer {}", house.token("hr"));
    let mut stream = TcpStream::connect(house.addr()).await.unwrap();

    stream.write_all(&head("POST", "/scim/v2/Users", &headers(&bearer, &[]), Some(100_000_000))).await.unwrap();

    assert_eq!(answer(&mut stream).await.error().0, 413);
}

#[tokio::test]
async fn a_body_without_a_length_is_413_as_soon_as_it_is_too_long() {
    let house = small().await;
    let bearer = format!("Bearer {}", house.token("hr"));
    let mut stream = TcpStream::connect(house.addr()).await.unwrap();
    let chunked = headers(&bearer, &[("transfer-encoding", "chunked")]);
    stream.write_all(&head("POST", "/scim/v2/Users", &chunked, None)).await.unwrap();

    // Eleven chunks of a thousand spaces, and no end.
    for _ in 0..11 {
        let _ = stream.write_all(format!("3e8\r\n{}\r\n", " ".repeat(1000)).as_bytes()).await;
    }

    let started = Instant::now();
    assert_eq!(answer(&mut stream).await.error().0, 413);
    assert!(started.elapsed() < Duration::from_secs(5), "and the connection is closed");
}

#[tokio::test]
async fn bulk_has_a_limit_of_its_own_in_bytes_and_in_operations() {
    let house = small().await;
    let operation = serde_json::json!({ "method": "DELETE", "path": "/Users/none" });
    let request = |count: usize| serde_json::json!({ "schemas": [scim::BULK_REQUEST], "Operations": vec![operation.clone(); count] });

    assert_eq!(house.ask("POST", "/Bulk", &request(3)).await.status, 200);
    assert_eq!(house.ask("POST", "/Bulk", &request(4)).await.error().0, 413);
    assert_eq!(house.ask("POST", "/Bulk", &request(150)).await.error().0, 413);
}

#[tokio::test]
async fn a_compressed_body_is_415() {
    let house = small().await;

    let answer = house
        .ask_as(
            "hr",
            "POST",
            "/Users",
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
            &"x".into(),
        )
        .await;

    assert_eq!(answer.error().0, 415);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408_and_others_are_served_meanwhile() {
    let house = small().await;
    let bearer = format!("Bearer {}", house.token("hr"));
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(house.addr()).await.unwrap();
        stream.write_all(&head("POST", "/scim/v2/Users", &headers(&bearer, &[]), Some(100))).await.unwrap();
        stream.write_all(b"{").await.unwrap();
        streams.push(stream);
    }

    let started = Instant::now();
    assert_eq!(house.get("/Users").await.status, 200);
    assert!(started.elapsed() < Duration::from_millis(400));
    for mut stream in streams {
        assert_eq!(answer(&mut stream).await.error().0, 408);
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off() {
    let house = small().await;
    let mut stream = TcpStream::connect(house.addr()).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: a\r\n").await.unwrap();

    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;

    assert!(read.is_ok(), "the connection is closed");
    assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&bytes));
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_an_idle_one_does_not_delay_the_stop() {
    let house = small().await;
    let mut stream = TcpStream::connect(house.addr()).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).await.unwrap();
        assert_eq!(Answer::parse(&bytes[..count]).status, 200);
    }

    let started = Instant::now();
    house.door.stop().await;

    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_cut_off() {
    let house = House::open_with(engine(false).await, |options: &mut Options| {
        options.limits.unread = Duration::from_secs(1);
    })
    .await;
    let bearer = format!("Bearer {}", house.token("hr"));
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&house.addr().into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut stream = TcpStream::from_std(socket.into()).unwrap();
    let request = format!("GET /scim/v2/Schemas HTTP/1.1\r\nhost: a\r\nauthorization: {bearer}\r\n\r\n");

    // Far more answers than all buffers between us hold, none of them read.
    let deadline = Instant::now() + Duration::from_secs(25);
    let cut = loop {
        match tokio::time::timeout(Duration::from_millis(200), stream.write_all(request.as_bytes())).await {
            Ok(Err(_)) => break true,
            Ok(Ok(())) | Err(_) if Instant::now() > deadline => break false,
            Ok(Ok(())) | Err(_) => {}
        }
    };

    assert!(cut, "the connection stands although nothing is read");
    assert_eq!(house.get("/ServiceProviderConfig").await.status, 200);
}
