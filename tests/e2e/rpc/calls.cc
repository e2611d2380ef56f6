/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gRPC calls of the four kinds over TLS, in C++; calls.py says the same, and compare.py knows what.
 *
 *   calls server CERT KEY     prints its port, serves until it is ended
 *   calls client CERT PORT    at a line on standard input, makes the calls and says what it knows of each:
 *                             number, method, status, messages sent and received, status message, with tabs
 */
#include <fstream>
#include <iostream>
#include <sstream>
#include <unistd.h>

#include <grpcpp/grpcpp.h>

#include "calls.grpc.pb.h"

namespace
{

const int PLAIN_CALLS = 48;

std::string read_file(const char *path)
{
	std::ifstream in(path);
	std::stringstream all;

	all << in.rdbuf();
	return all.str();
}

test::Answer answer(const std::string &text)
{
	test::Answer a;

	a.set_text(text);
	a.set_last(true);
	return a;
}

test::Answer answer(const std::string &text, unsigned int part)
{
	test::Answer a;

	a.set_text(text);
	a.set_part(part);
	return a;
}

class Service final : public test::Calls::Service
{
	grpc::Status Unary(grpc::ServerContext *context, const test::Ask *ask,
			   test::Answer *out) override
	{
		if (ask->text() == "fail")
			return {grpc::StatusCode::INVALID_ARGUMENT, "not 100% right: \u00e4"};
		while (ask->text() == "sleep" && !context->IsCancelled())
			usleep(2000);
		*out = answer(ask->text());
		return grpc::Status::OK;
	}

	grpc::Status ServerStream(grpc::ServerContext *, const test::Ask *ask,
				  grpc::ServerWriter<test::Answer> *out) override
	{
		for (unsigned int i = 0; i < ask->count(); i++)
			out->Write(answer(ask->text(), i));
		if (ask->text() == "fail")
			return {grpc::StatusCode::RESOURCE_EXHAUSTED, "enough"};
		return grpc::Status::OK;
	}

	grpc::Status ClientStream(grpc::ServerContext *, grpc::ServerReader<test::Ask> *in,
				  test::Answer *out) override
	{
		test::Ask ask;
		unsigned int n = 0;

		while (in->Read(&ask))
			n++;
		*out = answer(std::to_string(n));
		return grpc::Status::OK;
	}

	grpc::Status Bidi(grpc::ServerContext *,
			  grpc::ServerReaderWriter<test::Answer, test::Ask> *stream) override
	{
		test::Ask ask;

		for (unsigned int i = 0; stream->Read(&ask); i++)
			stream->Write(answer(ask.text(), i));
		return grpc::Status::OK;
	}
};

void serve(const char *cert, const char *key)
{
	grpc::SslServerCredentialsOptions options;
	grpc::ServerBuilder builder;
	Service service;
	int port;

	options.pem_key_cert_pairs.push_back({read_file(key), read_file(cert)});
	builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &port);
	builder.RegisterService(&service);
	builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_GZIP);
	auto server = builder.BuildAndStart();
	std::cout << port << std::endl;
	server->Wait();
}

/* What one call is to be: the calls of compare.py, in their order. */
struct call {
	int number;
	const char *method;
	std::string text; /* empty: by number and message */
	int count;
	bool gzip;
	int deadline_ms; /* 0: none */
};

test::Ask ask(const call &c, int i)
{
	test::Ask a;

	a.set_text(c.text);
	for (int times = 0; times < 10 && c.text.empty(); times++)
		*a.mutable_text() +=
			"call " + std::to_string(c.number) + " message " + std::to_string(i) + " ";
	a.set_count((uint32_t)c.count);
	a.add_numbers(i);
	a.add_numbers(-i);
	return a;
}

void make(test::Calls::Stub *stub, const call &c)
{
	grpc::ClientContext context;
	grpc::Status status;
	test::Answer got;
	std::string method = c.method;
	int sent = 1, received = 0;

	context.AddMetadata("x-call", "call-" + std::to_string(c.number));
	if (c.gzip)
		context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
	if (c.deadline_ms)
		context.set_deadline(std::chrono::system_clock::now() +
				     std::chrono::milliseconds(c.deadline_ms));
	if (method == "Unary") {
		status = stub->Unary(&context, ask(c, 0), &got);
		received = status.ok();
	} else if (method == "Missing") {
		status = stub->Missing(&context, ask(c, 0), &got);
	} else if (method == "ServerStream") {
		auto in = stub->ServerStream(&context, ask(c, 0));

		while (in->Read(&got))
			received++;
		status = in->Finish();
	} else if (method == "ClientStream") {
		auto out = stub->ClientStream(&context, &got);

		for (sent = 0; sent < c.count; sent++)
			out->Write(ask(c, sent));
		out->WritesDone();
		status = out->Finish();
		received = status.ok();
	} else {
		auto both = stub->Bidi(&context);

		for (sent = 0; sent < c.count; sent++) {
			both->Write(ask(c, sent));
			received += both->Read(&got);
		}
		both->WritesDone();
		status = both->Finish();
	}
	std::cout << c.number << '\t' << method << '\t' << status.error_code() << '\t' << sent
		  << '\t' << received << '\t' << status.error_message() << '\n';
}

void drive(const char *cert, const std::string &port)
{
	static const char *const kinds[] = {"Unary", "ServerStream", "ClientStream", "Bidi"};
	grpc::SslCredentialsOptions options;
	std::string line;

	std::getline(std::cin, line);
	options.pem_root_certs = read_file(cert);
	auto stub = test::Calls::NewStub(
		grpc::CreateChannel("localhost:" + port, grpc::SslCredentials(options)));
	for (int n = 0; n < PLAIN_CALLS; n++)
		make(stub.get(),
		     {n, kinds[n % 4], "", n / 4 % 4, n / 16 % 2 != 0, n % 3 == 0 ? 60000 : 0});
	make(stub.get(), {PLAIN_CALLS, "Unary", "fail", 1, false, 0});
	make(stub.get(), {PLAIN_CALLS + 1, "ServerStream", "fail", 2, false, 0});
	make(stub.get(), {PLAIN_CALLS + 2, "Missing", "", 1, false, 0});
	make(stub.get(), {PLAIN_CALLS + 3, "Unary", "sleep", 1, false, 200});
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	if (std::string(argv[1]) == "server")
		serve(argv[2], argv[3]);
	else
		drive(argv[2], argv[3]);
	return 0;
}
