//! A proxy that loses answers.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

const HOLD: u8 = 0x80;

pub struct Proxy {
    pub port: u16,
    // The request tag whose answer is lost, once; with HOLD its answer never comes.
    plan: Arc<AtomicU8>,
    cut: watch::Sender<u32>,
    refuse: Arc<AtomicU8>,
}

impl Proxy {
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, cuts) = watch::channel(0);
        let plan = Arc::new(AtomicU8::new(0));
        let refuse = Arc::new(AtomicU8::new(0));
        let (shared, refusing) = (plan.clone(), refuse.clone());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if refusing.load(Ordering::SeqCst) == 0 {
                    tokio::spawn(carry(client, server, shared.clone(), cuts.clone()));
                }
            }
        });
        Self { port, plan, cut, refuse }
    }

    pub fn cut_all(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    pub fn refuse(&self) {
        self.refuse.store(1, Ordering::SeqCst);
        self.cut_all();
    }

    pub fn swallow_answer_to(&self, tag: u8) {
        self.plan.store(tag, Ordering::SeqCst);
    }

    pub fn hold_answer_to(&self, tag: u8) {
        self.plan.store(tag | HOLD, Ordering::SeqCst);
    }
}

async fn carry(client: TcpStream, server: u16, plan: Arc<AtomicU8>, mut cuts: watch::Receiver<u32>) {
    cuts.mark_unchanged();
    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut armed = 0;
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            _ = cuts.changed() => return,
            read = from_client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                let wanted = plan.load(Ordering::SeqCst);
                // Small requests: 30 len 02 01 id tag, with one octet of length more for longer ones.
                if wanted != 0 && up[..length.min(12)].contains(&(wanted & 0x7f)) {
                    armed = plan.swap(0, Ordering::SeqCst);
                }
                if to_server.write_all(&up[..length]).await.is_err() { return }
            }
            read = from_server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                match armed {
                    0 => if to_client.write_all(&down[..length]).await.is_err() { return },
                    held if held & HOLD != 0 => {}
                    _ => return,
                }
            }
        }
    }
}
