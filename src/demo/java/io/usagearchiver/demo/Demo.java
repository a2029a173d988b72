package io.usagearchiver.demo;

/** Will show a sweep on an embedded PostgreSQL. */
public final class Demo {
    private Demo() {}

    public static void main(String[] args) {
        System.out.println("The demo is not written yet.");
    }
}
