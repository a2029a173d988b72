package consumer;

class HostTest extends TwoNodes {
    HostTest() {
        super("Host", "usage", "nightly");
    }
}
