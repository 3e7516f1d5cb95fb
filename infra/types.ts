/**
 * What the modules of infra/ hand to each other. SST puts `import * as aws` and `import * as sst` before every file that sst.config.ts leads to: no file here
 * may declare either name again.
 */

/** A region of the stage, and how its resources are made. */
export interface Place {
	/** as AWS calls it: eu-west-1 */
	region: aws.Region;
	/** at the end of every component's name: EuWest1 */
	suffix: string;
	/** the first of the stage: here are the API and the table that the others have copies of */
	home: boolean;
	/** third argument of every component of the region */
	opts: { provider: aws.Provider };
}

/** A KMS key of a region. */
export interface RegionKey {
	arn: $util.Output<string>;
}

/** The two keys of a stage, in one of its regions. Ciphertext of one region is readable in all others: they are multi-Region keys. */
export interface RegionKeys {
	/** of the config table (trunks have SIP passwords), the secrets and the recordings; used by AWS services on behalf of callers */
	data: RegionKey;
	/** of the secrets of projects, which the API and the nodes seal and open themselves */
	projects: RegionKey;
}

export interface Network {
	vpcId: $util.Output<string>;
	/** in two zones, with a way to the internet */
	publicSubnets: aws.ec2.Subnet[];
	/** What has a public address comes after these, and goes before them: AWS refuses it where there is no way to the internet. */
	connected: $util.Resource[];
	/** of the SIP load balancer, and of the media nodes */
	loadBalancerGroup: aws.ec2.SecurityGroup;
	nodeGroup: aws.ec2.SecurityGroup;
	/** addresses that INVITEs to carriers leave from; empty where the module of fixed addresses is off */
	outboundAddresses: aws.ec2.Eip[];
}

/** A queue and where its messages go that nobody could take. */
export interface QueuePair {
	queue: sst.aws.Queue;
	deadLetters: sst.aws.Queue;
}

export interface LoadBalancer {
	balancer: aws.lb.LoadBalancer;
	/** the fixed addresses that carriers send calls to */
	addresses: aws.ec2.Eip[];
	/** the ways in: `containerPort` is where the target group leads; "tls" is there where the stage has a certificate */
	ways: { key: "udp" | "tcp" | "tls"; targetGroup: aws.lb.TargetGroup; listener: aws.lb.Listener; containerPort: number }[];
}

export interface LogGroup {
	/** known before it is there: /trunkline/<stage>/<program>, in its region */
	name: string;
	arn: $util.Output<string>;
}

export interface MediaNodes {
	cluster: sst.aws.Cluster;
	service: sst.aws.Service;
	/** of the nodes: EMF lines are among theirs */
	logGroup: LogGroup;
	/** calls that one node takes, its MAX_CALLS */
	callsPerNode: number;
	/** that are there at any time */
	leastNodes: number;
}

/** A Lambda function with its own log group. */
export interface Lambda {
	fn: sst.aws.Function;
	logGroup: LogGroup;
}

export interface Consumers {
	/** delivers call events: of the calls table's stream, and what is due */
	events: Lambda;
	/** ends calls of dead nodes, deletes their queues */
	sweep: Lambda;
	/** ends calls whose dial nobody could take */
	deadLetters: Lambda;
	/** batches of the stream that could not be read, after their retries */
	streamFailures: sst.aws.Queue;
}

/** What of a region is there before its programs. */
export interface RegionData {
	place: Place;
	network: Network;
	callsTable: sst.aws.Dynamo;
	dial: QueuePair;
	bus: sst.aws.Bus;
	recordings: sst.aws.Bucket;
	traces: sst.aws.Bucket;
	loadBalancer: LoadBalancer;
}

export interface RegionStack extends RegionData {
	nodes: MediaNodes;
	consumers: Consumers;
}

export interface Api extends Lambda {
	/** function URL, or the stage's own domain */
	url: $util.Output<string>;
}
