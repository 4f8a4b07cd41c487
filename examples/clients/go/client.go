package dagrpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	pb "dagrpc.dev/go/dagrpc/v1"
)

// The default of gRPC, 4 MiB, is less than what a scheduler may send.
const largestMessage = 64 << 20

var reconnecting = backoff.Config{BaseDelay: firstPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: longestPause}

// Client is a connection to a scheduler. It may be used by many goroutines at a time.
type Client struct {
	connection *grpc.ClientConn
	tasks      pb.TaskServiceClient
	batcher    *batcher
}

// Option is a setting of Connect.
type Option func(*settings) error

type settings struct {
	tls  *tls.Config
	dial []grpc.DialOption
}

// WithTLS encrypts the connection. The scheduler's certificate must be one of the authority in caFile.
func WithTLS(caFile string) Option {
	return func(s *settings) error {
		text, err := os.ReadFile(caFile)
		if err != nil {
			return fmt.Errorf("dagrpc: certificate authority: %w", err)
		}
		s.secure().RootCAs = x509.NewCertPool()
		if !s.tls.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("dagrpc: %s has no certificate", caFile)
		}
		return nil
	}
}

// WithCertificate shows a certificate to the scheduler.
func WithCertificate(certFile, keyFile string) Option {
	return func(s *settings) error {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return fmt.Errorf("dagrpc: certificate: %w", err)
		}
		s.secure().Certificates = []tls.Certificate{pair}
		return nil
	}
}

// WithServerName names what the scheduler's certificate is for, if not for the host of its address.
func WithServerName(name string) Option {
	return func(s *settings) error {
		s.secure().ServerName = name
		return nil
	}
}

func (s *settings) secure() *tls.Config {
	if s.tls == nil {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return s.tls
}

// WithToken shows a token with every call. Without TLS, others on the network can read it.
func WithToken(token string) Option {
	return func(s *settings) error {
		s.dial = append(s.dial, grpc.WithPerRPCCredentials(bearer(token)))
		return nil
	}
}

type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// Connect returns a client of the scheduler at an address, host:port. The connection is made by the first call.
func Connect(address string, options ...Option) (*Client, error) {
	var s settings
	for _, option := range options {
		if err := option(&s); err != nil {
			return nil, err
		}
	}
	transport := insecure.NewCredentials()
	if s.tls != nil {
		transport = credentials.NewTLS(s.tls)
	}
	dial := append(s.dial,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largestMessage)),
		// By default, gRPC waits up to two minutes before it connects again.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnecting, MinConnectTimeout: 5 * time.Second}),
		// The client repeats calls itself: it knows from ErrorInfo which ones.
		grpc.WithDisableRetry(),
	)
	connection, err := grpc.NewClient(address, dial...)
	if err != nil {
		return nil, fmt.Errorf("dagrpc: %w", err)
	}
	client := &Client{connection: connection, tasks: pb.NewTaskServiceClient(connection)}
	client.batcher = newBatcher(client)
	return client, nil
}

// Close ends the connection. Leases live on until their time is over.
func (c *Client) Close() error {
	c.batcher.close()
	return c.connection.Close()
}

// Call runs a function, waits for it, and stores its result in the value that result points to; nil: nowhere.
func (c *Client) Call(ctx context.Context, result any, function string, arguments ...any) error {
	found, err := c.batcher.run(ctx, Call{Function: function, Arguments: arguments})
	if err != nil {
		return err
	}
	if result == nil {
		return nil
	}
	return found.Decode(result)
}

// Function is a function that can be called.
type Function struct {
	Name, Doc string
	// ParametersSchema is JSON Schema.
	ParametersSchema string
	Workers          int
}

// Functions lists the functions whose names begin with a prefix.
func (c *Client) Functions(ctx context.Context, prefix string) ([]Function, error) {
	var found []Function
	for page := ""; ; {
		request := &pb.ListFunctionsRequest{Prefix: prefix, PageToken: page}
		response, err := retried(ctx, request, c.tasks.ListFunctions)
		if err != nil {
			return nil, err
		}
		for _, each := range response.Functions {
			found = append(found, Function{each.Name, each.Doc, each.ParametersSchema, int(each.Workers)})
		}
		if page = response.NextPageToken; page == "" {
			return found, nil
		}
	}
}
