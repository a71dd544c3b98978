// A line server as a Go programmer would write it: one goroutine for each connection, one line, one echo.
//
// usage: lines PORT [fatal]
//
//	fatal  ends at an error of Accept, as many examples do
package main

import (
	"bufio"
	"log"
	"net"
	"os"
	"time"
)

func serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 64<<10)
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return // closed, reset, or a line over 64 KiB
		}
		if _, err := conn.Write(line); err != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("tcp4", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			go serve(conn)
		case len(os.Args) > 2 && os.Args[2] == "fatal":
			log.Fatal(err)
		default:
			log.Print(err)
			time.Sleep(10 * time.Millisecond)
		}
	}
}
